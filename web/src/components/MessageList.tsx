import { Box, Paper, Stack, Typography } from "@mui/material";
import { useEffect, useRef } from "react";
import { formatMoment } from "../hooks/format";
import type { Contact } from "../hooks/useConversation";

/** What was said, the newest at the bottom and in sight. */
export function MessageList({ contact }: { contact: Contact }) {
  const end = useRef<HTMLDivElement>(null);
  const { length } = contact.messages;
  useEffect(() => {
    if (length > 0) end.current?.scrollIntoView({ block: "nearest" });
  }, [length]);
  if (length === 0) {
    return (
      <Typography color="text.secondary" sx={{ p: 2 }}>
        Nothing was said yet: this is the first text to {contact.firstName}.
      </Typography>
    );
  }
  return (
    <Box role="log" aria-label="Conversation" tabIndex={0} sx={scroll}>
      <Stack component="ol" spacing={1} sx={{ listStyle: "none", m: 0, p: 2 }}>
        {contact.messages.map(({ id, text, isFromContact, createdAt }) => (
          <Box
            component="li"
            key={id}
            sx={{ alignSelf: isFromContact ? "flex-start" : "flex-end" }}
          >
            <Paper variant="outlined" sx={isFromContact ? theirs : ours}>
              <Typography sx={{ whiteSpace: "pre-wrap", overflowWrap: "anywhere" }}>
                {text}
              </Typography>
            </Paper>
            <Typography variant="caption" color="text.secondary">
              {isFromContact ? contact.firstName : "You"}
              {createdAt && `, ${formatMoment(createdAt)}`}
            </Typography>
          </Box>
        ))}
      </Stack>
      <div ref={end} />
    </Box>
  );
}

const scroll = { maxHeight: "40vh", overflowY: "auto", overscrollBehavior: "contain" };
const theirs = { px: 1.5, py: 1, maxWidth: 440 };
const ours = { ...theirs, bgcolor: "action.hover", borderColor: "primary.main" };
