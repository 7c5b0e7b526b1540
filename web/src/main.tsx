import "@fontsource/poppins/latin-400.css";
import "@fontsource/poppins/latin-500.css";
import "@fontsource/poppins/latin-600.css";
import { ApolloProvider } from "@apollo/client/react";
import createCache from "@emotion/cache";
import { CacheProvider } from "@emotion/react";
import { CssBaseline, ThemeProvider } from "@mui/material";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { BrowserRouter } from "react-router";
import { App } from "./app/App";
import { makeClient, socketUrl } from "./app/client";
import { theme } from "./app/theme";
import { makeSocket, SocketContext } from "./hooks/socket";

// The server writes another one into each answer, and lets only styles that have it in.
const nonce = document.querySelector<HTMLMetaElement>('meta[property="csp-nonce"]')?.nonce;
const styles = createCache({ key: "credits", ...(nonce ? { nonce } : {}) });
const socket = makeSocket(socketUrl(window.location));

const root = document.getElementById("root");
if (!root) throw new Error("index.html has no #root");
createRoot(root).render(
  <StrictMode>
    <CacheProvider value={styles}>
      <ThemeProvider theme={theme} defaultMode="system">
        <CssBaseline enableColorScheme />
        <SocketContext value={socket}>
          <ApolloProvider client={makeClient(socket)}>
            <BrowserRouter basename="/credits">
              <App />
            </BrowserRouter>
          </ApolloProvider>
        </SocketContext>
      </ThemeProvider>
    </CacheProvider>
  </StrictMode>,
);
