import { useQuery } from "@apollo/client/react";
import { useEffect, useState } from "react";
import {
  type CountedTextFragment,
  EstimateCampaignDocument,
  type EstimateCampaignQuery,
  EstimateTextDocument,
  TeamCampaignsDocument,
} from "../graphql/generated";
import { useDebounced } from "./useDebounced";
import { decimalNumber, wholeNumber } from "./writtenNumbers";

const PAUSE_MILLISECONDS = 200;
const ASK_AGAIN_MILLISECONDS = 1_000;
const MOST_RECIPIENTS = 10_000_000;
const MOST_REPLIES = 100;

export interface ChosenCampaign {
  id: string;
  title: string;
}

/** What is filled in; numbers as they are written. */
export interface Question {
  source: "text" | "campaign";
  text: string;
  recipients: string;
  campaign: ChosenCampaign | null;
  repliesPerRecipient: string;
  /** A picture goes with the text. A campaign's texts tell that by themselves. */
  media: boolean;
}

export type Level = "low" | "expected" | "high";

/**
 * Credits for nobody replying, the expected replies, and twice as many. Where a campaign's need is
 * extrapolated, `low` and `high` also allow for how far off that may be.
 */
export type Needs = Record<Level, number>;

export interface Answer {
  counted: CountedTextFragment;
  /** Null as long as nobody said how many contacts there are. */
  needs: Needs | null;
}

const EMPTY: Question = {
  source: "text",
  text: "",
  recipients: "",
  campaign: null,
  repliesPerRecipient: "0.3",
  media: false,
};

/**
 * What texting so many people will cost, as the server counts it: a text, or a campaign's first
 * texts. `answer` is null while there is nothing to count, and the last one while the next is on
 * its way. `isCounting`: the server hasn't counted the campaign yet; it is asked each second.
 */
export function useCalculator() {
  const [question, setQuestion] = useState(EMPTY);
  const settled = useDebounced(question, PAUSE_MILLISECONDS);
  const problems = problemsOf(question);
  const ofText = useTextEstimate(settled);
  const ofCampaign = useCampaignEstimate(settled);
  const { data, error } = question.source === "text" ? ofText : ofCampaign;
  return {
    question,
    change: (changes: Partial<Question>) => setQuestion({ ...question, ...changes }),
    problems,
    answer: data ? answerOf(settled, data) : null,
    error,
    isCounting: question.source === "campaign" && ofCampaign.data?.expected === null,
  };
}

/** Of the numbers, what is wrong with them; null: nothing. */
export function problemsOf({ recipients, repliesPerRecipient }: Question) {
  const count = wholeNumber(recipients);
  const isCount = count !== null && count >= 1 && count <= MOST_RECIPIENTS;
  return {
    recipients:
      recipients.trim() === "" || isCount ? null : "Enter a whole number from 1 to 10,000,000.",
    replies: repliesOf(repliesPerRecipient) === null ? "Enter a number from 0 to 100." : null,
  };
}

function repliesOf(written: string): number | null {
  const replies = written.trim() === "" ? 0 : decimalNumber(written);
  return replies !== null && replies <= MOST_REPLIES ? replies : null;
}

function useTextEstimate(question: Question) {
  const { source, text, recipients, repliesPerRecipient, media } = question;
  const replies = repliesOf(repliesPerRecipient);
  const isAsked = source === "text" && text.trim() !== "" && replies !== null;
  const isPossible = isAsked && problemsOf(question).recipients === null;
  const asked = useQuery(EstimateTextDocument, {
    // To nobody in particular, a text still has its segments.
    variables: { text, media, recipients: wholeNumber(recipients) ?? 1, ...range(replies ?? 0) },
    fetchPolicy: "no-cache",
    skip: !isPossible,
  });
  return isPossible ? { data: asked.data ?? asked.previousData, error: asked.error } : NOTHING;
}

function useCampaignEstimate({ source, campaign, repliesPerRecipient }: Question) {
  const replies = repliesOf(repliesPerRecipient);
  const isPossible = source === "campaign" && campaign !== null && replies !== null;
  const asked = useQuery(EstimateCampaignDocument, {
    variables: { campaignId: campaign?.id ?? "", ...range(replies ?? 0) },
    fetchPolicy: "no-cache",
    skip: !isPossible,
  });
  const { data, startPolling, stopPolling } = asked;
  const isUnsettled = data && (!data.expected || data.expected.campaignEstimate?.isComputing);
  useEffect(() => {
    if (isUnsettled) startPolling(ASK_AGAIN_MILLISECONDS);
    return stopPolling;
  }, [isUnsettled, startPolling, stopPolling]);
  return isPossible ? asked : NOTHING;
}

const NOTHING = { data: undefined, error: undefined };

function range(replies: number) {
  return { replies, manyReplies: Math.min(2 * replies, MOST_REPLIES) };
}

function answerOf(question: Question, data: EstimateCampaignQuery): Answer | null {
  const { low, expected, high } = data;
  if (!low || !expected || !high) return null;
  const isForSomebody = question.source === "campaign" || wholeNumber(question.recipients) !== null;
  const margin = expected.campaignEstimate?.creditsNeededMargin ?? 0;
  const needs = {
    low: Math.max(low.credits - margin, 0),
    expected: expected.credits,
    high: high.credits + margin,
  };
  return { counted: expected, needs: isForSomebody ? needs : null };
}

/** A team's campaigns to choose from, the newest first, or those with `search` in their title. */
export function useCampaignChoice(teamId: string, search: string) {
  const settled = useDebounced(search.trim(), PAUSE_MILLISECONDS);
  const asked = useQuery(TeamCampaignsDocument, {
    variables: { teamId, search: settled || null },
    fetchPolicy: "cache-and-network",
  });
  const { team } = asked.data ?? asked.previousData ?? {};
  return { campaigns: team?.campaigns ?? [], isLoading: asked.loading, error: asked.error };
}
