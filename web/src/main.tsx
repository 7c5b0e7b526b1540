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
import { cspNonce } from "./components/nonce";
import { makeSocket, SocketContext } from "./hooks/socket";

const styles = createCache({ key: "credits", nonce: cspNonce() });
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
            {/* No transitions: what is typed stands in the address, which must not lag behind. */}
            <BrowserRouter basename="/credits" useTransitions={false}>
              <App />
            </BrowserRouter>
          </ApolloProvider>
        </SocketContext>
      </ThemeProvider>
    </CacheProvider>
  </StrictMode>,
);
