"""What the log says of errors."""

import sys

from server.log import trace_without_data


def trace_of(error: BaseException) -> str:
    try:
        raise error
    except BaseException:
        return trace_without_data(sys.exc_info())


def failed(sentence: str, cause: Exception | None = None) -> Exception:
    """With a trace of its own."""
    try:
        raise ValueError(sentence) from cause
    except ValueError as error:
        return error


def test_errors_come_oldest_first() -> None:
    trace = trace_of(failed("second", failed("first")))
    assert trace.index("ValueError: first") < trace.index("ValueError: second")
    assert trace.count("in failed") == 2


def test_of_a_group_each_error_is_told_with_its_cause() -> None:
    inner = ExceptionGroup("inside", [failed("second", failed("first")), failed("third")])
    trace = trace_of(ExceptionGroup("outside", [inner, failed("fourth")]))
    told = ["first", "second", "third", "inside", "fourth", "outside"]
    assert [trace.count(f": {sentence}") for sentence in told] == [1] * 6
    assert sorted(told, key=lambda sentence: trace.index(f": {sentence}")) == told
    assert trace.count("in failed") == 4


def test_a_group_out_of_which_an_error_was_raised_again_is_told_once() -> None:
    one = ValueError("once")
    try:
        raise ExceptionGroup("all", [one])
    except ExceptionGroup:
        trace = trace_of(one)
    assert (trace.count(": once"), trace.count(": all")) == (1, 1)
