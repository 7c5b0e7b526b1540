import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

const server = process.env.SPOKE_CREDITS_URL ?? "http://127.0.0.1:8000";

export default defineConfig({
  base: "/credits/",
  plugins: [react()],
  build: {
    // Without data: addresses, the page's policy can forbid them.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: {
    proxy: {
      "/graphql": { target: server, ws: true },
      "/export": server,
      "/login-callback": server,
      "/logout-callback": server,
      "/graphiql": server,
    },
  },
  test: {
    environment: "jsdom",
    include: ["tests/**/*.test.{ts,tsx}"],
    // Loading the libraries anew for each file takes three times as long as all tests.
    isolate: false,
    setupFiles: ["tests/tidy.ts"],
  },
});
