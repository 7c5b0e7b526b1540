"""CPU time of `measure` for 10,000 texts of 300 characters, in several mixes."""

import random
import time

from bench.report import Outcome
from services.segments import measure

TEXTS, LENGTH, ROUNDS = 10_000, 300, 3

ENGLISH = ["hi", "it's", "Sam", "with", "Voters", "First", "can", "we", "count", "on", "you?"]
SPANISH = ["hola", "según", "tu", "registro", "aún", "puedes", "votar", "aquí", "gracias"]
EMOJI = [
    "\U0001f600",
    "\u2705",
    "\U0001f44d\U0001f3fd",
    "\u2764\ufe0f",
    "\U0001f1fa\U0001f1f8",
    "\U0001f469\u200d\U0001f469\u200d\U0001f467",
]
MIXES = {
    "GSM-7": ENGLISH,
    "GSM-7, €[] in one word of 10": [*ENGLISH * 9, *["€5", "[url]"] * 6],
    "UCS-2, accents": SPANISH,
    "UCS-2, emoji in one word of 20": [*SPANISH * 13, *EMOJI],
    "UCS-2, emoji in one word of 3": [*SPANISH, *SPANISH[:3], *EMOJI],
}


def text_of(words: list[str], chance: random.Random) -> str:
    return " ".join(chance.choices(words, k=LENGTH))[:LENGTH]


def cpu_seconds(texts: list[str]) -> float:
    started = time.process_time()
    for text in texts:
        measure(text)
    return time.process_time() - started


def run() -> Outcome:
    chance = random.Random(1)
    rows = []
    for mix, words in MIXES.items():
        texts = [text_of(words, chance) for _ in range(TEXTS)]
        seconds = round(min(cpu_seconds(texts) for _ in range(ROUNDS)), 3)
        rows.append({"mix": mix, "cpu_seconds": seconds})
    return Outcome({f"Segments of {TEXTS:,} texts of {LENGTH} characters": rows})
