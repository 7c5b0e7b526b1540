import RefreshIcon from "@mui/icons-material/Refresh";
import WarningAmberIcon from "@mui/icons-material/WarningAmber";
import {
  Alert,
  Box,
  Button,
  Chip,
  Paper,
  Stack,
  Table,
  TableBody,
  TableCell,
  TableContainer,
  TableHead,
  TableRow,
  Typography,
} from "@mui/material";
import { refusalOf } from "../hooks/errors";
import { formatMoment } from "../hooks/format";
import {
  type CreditNotice,
  momentOf,
  OCCASIONS,
  STATES,
  useCreditNotices,
} from "../hooks/useCreditNotices";
import { Loading, Problem } from "./States";

interface Props {
  teamId: string;
  /** Also sees why a mail didn't get on. */
  isSuperadmin: boolean;
}

/** The mail that went out about a team's credits, and what became of it. */
export function NoticesTable({ teamId, isSuperadmin }: Props) {
  const { notices, isLoading, error, refresh, showMore } = useCreditNotices(teamId, isSuperadmin);
  if (!notices) return error ? <Problem error={error} onRetry={refresh} /> : <Loading />;
  return (
    <Stack spacing={2}>
      <Stack direction={{ xs: "column", sm: "row" }} spacing={2} sx={{ alignItems: "flex-start" }}>
        <Typography color="text.secondary" sx={{ flexGrow: 1, maxWidth: "65ch" }}>
          Mail goes to superadmins, and to the team's admins and owners, when credits are running
          low or used up; to superadmins alone, when credits are turned on with none left. The
          newest is on top.
        </Typography>
        <Button startIcon={<RefreshIcon />} onClick={refresh}>
          Refresh
        </Button>
      </Stack>
      {Boolean(error) && <Alert severity="error">{refusalOf(error).sentence}</Alert>}
      {notices.length === 0 ? <NoNotices /> : <Notices notices={notices} isLoading={isLoading} />}
      {showMore && (
        <Button onClick={showMore} disabled={isLoading} sx={{ alignSelf: "center" }}>
          Show older mail
        </Button>
      )}
    </Stack>
  );
}

function NoNotices() {
  return (
    <Paper variant="outlined" sx={{ p: 4, textAlign: "center" }}>
      <Typography>No mail has been sent about this team's credits.</Typography>
    </Paper>
  );
}

function Notices({ notices, isLoading }: { notices: CreditNotice[]; isLoading: boolean }) {
  return (
    <TableContainer component={Paper} variant="outlined">
      <Table size="small" aria-label="Mail about credits" aria-busy={isLoading}>
        <TableHead>
          <TableRow>
            <TableCell>About</TableCell>
            <TableCell sx={wide}>To</TableCell>
            <TableCell>What became of it</TableCell>
            <TableCell sx={wide}>When</TableCell>
          </TableRow>
        </TableHead>
        <TableBody>
          {notices.map((notice) => (
            <NoticeRow key={notice.id} notice={notice} />
          ))}
        </TableBody>
      </Table>
    </TableContainer>
  );
}

function NoticeRow({ notice }: { notice: CreditNotice }) {
  const { word, meaning, isTrouble } = STATES[notice.state];
  const moment = formatMoment(momentOf(notice));
  return (
    <TableRow sx={{ "& td": { verticalAlign: "top", py: 1.25 } }}>
      <TableCell>
        {OCCASIONS[notice.occasion]}
        <Box sx={{ ...narrow, color: "text.secondary", overflowWrap: "anywhere" }}>
          {notice.address}
          <br />
          {moment}
        </Box>
      </TableCell>
      <TableCell sx={{ ...wide, overflowWrap: "anywhere" }}>{notice.address}</TableCell>
      <TableCell>
        <Chip
          size="small"
          variant="outlined"
          label={word}
          {...(isTrouble && { icon: <WarningAmberIcon />, color: "secondary" })}
        />
        <Typography variant="body2" color="text.secondary" sx={{ mt: 0.5 }}>
          {meaning} {notice.attempts > 1 && `Tried ${notice.attempts} times.`}
        </Typography>
        {notice.error && (
          <Typography variant="body2" sx={{ mt: 0.5, overflowWrap: "anywhere" }}>
            {notice.error}
          </Typography>
        )}
      </TableCell>
      <TableCell sx={{ ...wide, whiteSpace: { md: "nowrap" } }}>{moment}</TableCell>
    </TableRow>
  );
}

// What has no column of its own on a telephone stands in the first one.
const wide = { display: { xs: "none", sm: "table-cell" } };
const narrow = { display: { xs: "block", sm: "none" } };
