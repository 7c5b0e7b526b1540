import DarkModeIcon from "@mui/icons-material/DarkMode";
import LightModeIcon from "@mui/icons-material/LightMode";
import LogoutIcon from "@mui/icons-material/Logout";
import {
  AppBar,
  Box,
  Button,
  Container,
  IconButton,
  Link,
  Toolbar,
  Tooltip,
  Typography,
  useColorScheme,
  useMediaQuery,
} from "@mui/material";
import type { ReactNode } from "react";
import { NavLink } from "react-router";
import { managedTeams, type Viewer } from "../hooks/useViewer";

interface Place {
  to: string;
  name: string;
}

/** Where this person may go, the most important first. */
export function placesFor(viewer: Viewer): Place[] {
  const [team] = managedTeams(viewer);
  return [
    ...(viewer.isSuperadmin
      ? [
          { to: "/teams", name: "Credits" },
          { to: "/usage", name: "Usage" },
        ]
      : []),
    ...(team ? [{ to: `/team/${team.teamId}`, name: "Team" }] : []),
    ...(viewer.memberships.length > 0 ? [{ to: "/text", name: "Texting" }] : []),
  ];
}

/** The bar on top, and room for a page. */
export function Layout({ viewer, children }: { viewer?: Viewer | null; children: ReactNode }) {
  return (
    <>
      <Link href="#page" sx={hiddenUntilFocused}>
        Skip to the page
      </Link>
      <AppBar position="static" color="default" elevation={0} sx={barLook}>
        <Toolbar variant="dense" sx={{ gap: { xs: 0, sm: 1 }, flexWrap: "wrap", py: 0.5 }}>
          <Typography component="span" sx={brandLook}>
            Spoke Credits
          </Typography>
          {viewer && (
            <Box
              component="nav"
              aria-label="Pages"
              sx={{ display: "flex", gap: { xs: 0, sm: 0.5 } }}
            >
              {placesFor(viewer).map(({ to, name }) => (
                <Button key={to} component={NavLink} to={to} size="small" sx={placeLook}>
                  {name}
                </Button>
              ))}
            </Box>
          )}
          <Box sx={{ flexGrow: 1 }} />
          {viewer && (
            <Typography variant="body2" noWrap sx={{ display: { xs: "none", sm: "block" } }}>
              {viewer.name}
            </Typography>
          )}
          <ThemeSwitch />
          {viewer && (
            <Tooltip title="Sign out">
              <IconButton href="/logout-callback" aria-label="Sign out" size="small">
                <LogoutIcon fontSize="small" />
              </IconButton>
            </Tooltip>
          )}
        </Toolbar>
      </AppBar>
      <Container component="main" id="page" tabIndex={-1} maxWidth="xl" sx={pageLook}>
        {children}
      </Container>
    </>
  );
}

function ThemeSwitch() {
  const { mode, setMode } = useColorScheme();
  const prefersDark = useMediaQuery("(prefers-color-scheme: dark)");
  const isDark = mode === "dark" || (mode === "system" && prefersDark);
  const label = isDark ? "Light colors" : "Dark colors";
  return (
    <Tooltip title={label}>
      <IconButton
        aria-label={label}
        size="small"
        onClick={() => setMode(isDark ? "light" : "dark")}
      >
        {isDark ? <LightModeIcon fontSize="small" /> : <DarkModeIcon fontSize="small" />}
      </IconButton>
    </Tooltip>
  );
}

const barLook = { borderBottom: 1, borderColor: "divider", bgcolor: "background.paper" };
const pageLook = { py: { xs: 2, sm: 3 }, px: { xs: 1.5, sm: 3 }, outline: "none" };
const brandLook = {
  display: { xs: "none", sm: "block" },
  fontWeight: 600,
  color: "primary.main",
  mr: 1,
};
const placeLook = {
  // All of them fit a telephone.
  minWidth: { xs: 0, sm: 64 },
  px: { xs: 0.75, sm: 1 },
  color: "text.primary",
  "&.active": { color: "primary.main", fontWeight: 600, textDecoration: "underline" },
};
const hiddenUntilFocused = {
  position: "absolute",
  left: -9999,
  "&:focus": { left: 8, top: 8, zIndex: "tooltip", bgcolor: "background.paper", p: 1 },
};
