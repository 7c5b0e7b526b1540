import { blueGrey, grey } from "@mui/material/colors";
import { createTheme } from "@mui/material/styles";

/** The look of Spoke's own client, with greens and greys that are dark enough to be read. */
export const theme = createTheme({
  cssVariables: { colorSchemeSelector: "data-color-scheme" },
  typography: {
    fontFamily: "Poppins, system-ui, sans-serif",
    h1: { fontSize: "1.5rem", fontWeight: 500 },
    h2: { fontSize: "1.2rem", fontWeight: 500 },
    h3: { fontSize: "1rem", fontWeight: 600 },
    button: { textTransform: "none", fontWeight: 500 },
  },
  shape: { borderRadius: 8 },
  colorSchemes: {
    light: {
      palette: {
        primary: { main: "#176b39" },
        secondary: { main: "#b34700" },
        warning: { main: "#9a4a00" },
        text: { primary: blueGrey[900], secondary: blueGrey[700] },
        background: { default: grey[50] },
        blocked: { background: "#fde3ec", border: "#e8a0bb", text: "#97063f" },
      },
    },
    dark: {
      palette: {
        primary: { main: "#7fd4a0" },
        secondary: { main: "#ffb27a" },
        error: { main: "#f44336", contrastText: "#000" },
        background: { default: "#12181b", paper: "#1b2327" },
        blocked: { background: "#47202f", border: "#8a4560", text: "#ffb3cc" },
      },
    },
  },
});

/** The pink of teams that can't send. */
interface Blocked {
  background: string;
  border: string;
  text: string;
}

declare module "@mui/material/styles" {
  interface Palette {
    blocked: Blocked;
  }
  interface PaletteOptions {
    blocked?: Blocked;
  }
}
