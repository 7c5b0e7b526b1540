import type { Assignment } from "./useAssignment";
import type { Contact } from "./useConversation";

export type Step = NonNullable<NonNullable<Campaign["interactionSteps"]>[number]>;
type Campaign = Assignment["campaign"];

export function stepsOf({ interactionSteps }: Campaign): Step[] {
  return (interactionSteps ?? []).flatMap((step) => step ?? []);
}

/** What the campaign's script begins with; null where there is none. */
export function firstStep(campaign: Campaign): Step | null {
  return stepsOf(campaign).find(({ parentInteractionId }) => parentInteractionId === null) ?? null;
}

/**
 * The text of a step of the script for a contact, with the fields filled in as Spoke's client does.
 * Of several, contacts get one each in turn, and each always the same.
 */
export function textOf(step: Step, { campaign, texter }: Assignment, contact: Contact): string {
  const options = step.scriptOptions.flatMap((option) => option || []);
  const text = options[Number(contact.id) % options.length] ?? "";
  return fillIn(text, campaign, texter, contact);
}

/** Fields that nobody knows stay as they are written. */
export function fillIn(
  text: string,
  campaign: Pick<Assignment["campaign"], "customFields" | "campaignVariables">,
  texter: Assignment["texter"],
  contact: Contact,
): string {
  const values: Record<string, string> = {
    firstName: nameOf(contact.firstName),
    lastName: titleCase(contact.lastName),
    cell: contact.cell,
    zip: contact.zip ?? "",
    external_id: contact.external_id ?? "",
    texterFirstName: titleCase(texter.firstName ?? ""),
    texterLastName: titleCase(texter.lastName ?? ""),
  };
  const own: unknown = JSON.parse(contact.customFields ?? "{}");
  for (const field of campaign.customFields ?? []) {
    if (field && !(field in values)) values[field] = customValue(own, field);
  }
  for (const { name, value } of campaign.campaignVariables) {
    if (value) values[name] = value;
  }
  return text.replace(/\{([^{}]+)\}/g, (token, name: string) => values[name] ?? token);
}

function customValue(fields: unknown, name: string): string {
  const value = (fields as Record<string, unknown> | null)?.[name];
  return value === undefined || value === null ? "" : String(value);
}

/** These stand for no name, and keep their case. */
const AS_WRITTEN = ["friend", "there"];

function nameOf(name: string): string {
  return AS_WRITTEN.includes(name.toLowerCase()) ? name : titleCase(name);
}

function titleCase(name: string): string {
  const words = name.trim().split(" ");
  return words
    .map((word) => word.slice(0, 1).toUpperCase() + word.slice(1).toLowerCase())
    .join(" ");
}
