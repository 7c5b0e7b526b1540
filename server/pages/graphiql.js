"use strict";

const assets = new URL(".", document.currentScript.src);
const workers = { graphql: "graphql.worker..bundle.js", json: "json.worker.bundle.js" };

self.MonacoEnvironment = {
  getWorkerUrl: (_module, label) =>
    new URL(workers[label] ?? "editor.worker.bundle.js", assets).href,
};

/** crypto.randomUUID is missing where a server is reached by plain http. */
function freshKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function tab(query, variables) {
  return { query: query.trim() + "\n", variables: JSON.stringify(variables, null, 2) };
}

const tabs = [
  tab(
    `
# All teams and their remaining credits.
query Teams(
  $search: String
  $orderBy: TeamOrder!
  $limit: Int!
  $offset: Int!
) {
  teams(
    search: $search
    orderBy: $orderBy
    limit: $limit
    offset: $offset
  ) {
    teams {
      id
      name
      creditsEnabled
      creditStatus
      remainingCredits
      purchasedCredits
      usedCredits
    }
    pageInfo {
      total
      next
    }
  }
}`,
    { search: null, orderBy: "REMAINING_ASC", limit: 50, offset: 0 },
  ),
  tab(
    `
# Adds once, however often it is run:
# to add again, change the idempotencyKey.
mutation AddCredits(
  $teamId: ID!
  $amount: Int!
  $note: String
  $idempotencyKey: String
) {
  addCredits(
    teamId: $teamId
    amount: $amount
    note: $note
    idempotencyKey: $idempotencyKey
  ) {
    id
    amount
    note
    createdAt
    purchasedByName
    team {
      name
      creditStatus
      remainingCredits
    }
  }
}`,
    { teamId: "1", amount: 500, note: "Added in GraphiQL", idempotencyKey: freshKey() },
  ),
  tab(
    `
# A team's credit purchases, newest first.
query Purchases(
  $teamId: ID!
  $includeRemoved: Boolean!
) {
  team(id: $teamId) {
    name
    remainingCredits
    creditPurchases(includeRemoved: $includeRemoved) {
      id
      amount
      note
      createdAt
      purchasedByName
      removedAt
      removedByName
    }
  }
}`,
    { teamId: "1", includeRemoved: true },
  ),
  tab(
    `
# Takes a purchase back for good.
# The tab Purchases shows their ids.
mutation RemovePurchase($id: ID!) {
  removeCreditPurchase(id: $id) {
    id
    amount
    removedAt
    removedByName
    team {
      name
      creditStatus
      remainingCredits
    }
  }
}`,
    { id: "1" },
  ),
  tab(
    `
# What it will cost to text so many people.
query Estimate(
  $text: String!
  $recipients: Int!
  $repliesPerRecipient: Float!
  $media: Boolean!
) {
  estimateCredits(
    text: $text
    recipients: $recipients
    repliesPerRecipient: $repliesPerRecipient
    media: $media
  ) {
    credits
    creditsPerText
    segmentsPerText
    encoding
    charactersUsed
    charactersLeftInSegment
    charactersForcingUcs2
  }
}`,
    {
      text: "Hi Ana, will you join us on Saturday?",
      recipients: 1000,
      repliesPerRecipient: 0.2,
      media: false,
    },
  ),
  tab(
    `
# For the texter who has the contact.
# Sends once, however often it is run:
# to send again, change the idempotencyKey.
mutation SendMessage(
  $campaignContactId: String!
  $message: MessageInput!
  $idempotencyKey: String
) {
  sendMessage(
    campaignContactId: $campaignContactId
    message: $message
    idempotencyKey: $idempotencyKey
  ) {
    id
    messageStatus
    messages {
      id
      text
      isFromContact
      createdAt
      errorCodes
    }
  }
}`,
    {
      campaignContactId: "1",
      message: { text: "Hi Ana, will you join us on Saturday?", assignmentId: "1" },
      idempotencyKey: freshKey(),
    },
  ),
  tab(
    `
# What changes is told at once,
# until the button is pressed again.
subscription Live($teamId: ID!) {
  teamCredits(teamId: $teamId) {
    name
    creditStatus
    remainingCredits
    purchasedCredits
    usedCredits
  }
}`,
    { teamId: "1" },
  ),
];

// Tabs last as long as the browser's own tab: a reload keeps the keys, so that a repeat still adds
// once, and the next visit gets new ones.
const storage = sessionStorage;
const isFirstVisit = storage.getItem("graphiql:tabState") === null;

YogaGraphiQL.renderYogaGraphiQL(document.querySelector("#graphiql"), {
  endpoint: "/graphql",
  subscriptionsProtocol: "WS",
  storage,
  defaultTabs: tabs,
  // Otherwise Yoga's own greeting comes first, and once more after each reload.
  initialQuery: undefined,
  initialVariables: isFirstVisit ? tabs[0].variables : undefined,
  // Otherwise the address of the page takes up the texts and tokens that are typed.
  onEditQuery: undefined,
  shouldPersistHeaders: false,
});
