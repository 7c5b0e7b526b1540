import BlockIcon from "@mui/icons-material/Block";
import CloudOffIcon from "@mui/icons-material/CloudOff";
import LockOutlinedIcon from "@mui/icons-material/LockOutlined";
import { Box, Button, Paper, Skeleton, Stack, Typography } from "@mui/material";
import { createContext, type ReactNode, useContext } from "react";
import { refusalOf } from "../hooks/errors";

/** What level a notice's title has: under a page's own heading it is not the first. */
export const TitleLevel = createContext<"h1" | "h2" | "h3">("h1");

interface NoticeProps {
  icon: ReactNode;
  title: string;
  children: ReactNode;
  action?: ReactNode;
}

/** Stands where something else would be, and says why it isn't there. */
export function Notice({ icon, title, children, action }: NoticeProps) {
  const level = useContext(TitleLevel);
  return (
    <Paper variant="outlined" sx={{ p: 4, maxWidth: 520, mx: "auto", mt: { xs: 2, sm: 6 } }}>
      <Stack spacing={2} sx={{ alignItems: "center", textAlign: "center" }}>
        <Box aria-hidden sx={{ color: "text.secondary", "& svg": { fontSize: 48 } }}>
          {icon}
        </Box>
        <Typography variant="h1" component={level}>
          {title}
        </Typography>
        <Typography color="text.secondary">{children}</Typography>
        {action}
      </Stack>
    </Paper>
  );
}

export function Loading({ rows = 6, label = "Loading" }: { rows?: number; label?: string }) {
  return (
    <Stack spacing={1} role="status" aria-label={label}>
      <Skeleton variant="text" width="40%" height={48} />
      {Array.from({ length: rows }, (_, row) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: all of them are alike.
        <Skeleton key={row} variant="rounded" height={44} />
      ))}
    </Stack>
  );
}

export function SignedOut() {
  const next = encodeURIComponent(window.location.pathname + window.location.search);
  return (
    <Notice
      icon={<LockOutlinedIcon />}
      title="You are signed out"
      action={
        <Button variant="contained" href={`/graphiql/sign-in?next=${next}`}>
          Sign in
        </Button>
      }
    >
      Sign in to go on. You come back to this page.
    </Notice>
  );
}

export function NotAllowed({ children }: { children?: ReactNode }) {
  return (
    <Notice
      icon={<BlockIcon />}
      title="This page is not for you"
      action={
        <Button variant="outlined" href="/credits/">
          Go to your own pages
        </Button>
      }
    >
      {children ?? "Your role doesn't include it, or it was changed. Ask an owner of your team."}
    </Notice>
  );
}

/** An operation failed: says what is to be done about it. */
export function Problem({ error, onRetry }: { error: unknown; onRetry?: () => void }) {
  const { code, sentence } = refusalOf(error);
  if (code === "UNAUTHENTICATED") return <SignedOut />;
  if (code === "FORBIDDEN" || code === "NOT_FOUND") return <NotAllowed />;
  return (
    <Notice
      icon={<CloudOffIcon />}
      title="That didn't work"
      action={
        onRetry && (
          <Button variant="contained" onClick={onRetry}>
            Try again
          </Button>
        )
      }
    >
      <span role="alert">{sentence}</span>
    </Notice>
  );
}
