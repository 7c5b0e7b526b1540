import { type Client, createClient } from "graphql-ws";
import { createContext, useContext, useSyncExternalStore } from "react";

const ALIVE_MILLISECONDS = 10_000;
const LONGEST_PAUSE_MILLISECONDS = 10_000;

/** A WebSocket for subscriptions that says whether it is up, and gets up again by itself. */
export interface Socket {
  client: Client;
  isUp: () => boolean;
  /** Calls `listener` after each change of `isUp`; the answer stops that. */
  onChange: (listener: () => void) => () => void;
}

export function makeSocket(url: string): Socket {
  let isUp = false;
  const listeners = new Set<() => void>();
  const turn = (now: boolean) => () => {
    isUp = now;
    for (const listener of listeners) listener();
  };
  const client = createClient({
    url,
    keepAlive: ALIVE_MILLISECONDS,
    retryAttempts: Number.POSITIVE_INFINITY,
    shouldRetry: () => true,
    retryWait: (retries) =>
      new Promise((resolve) =>
        setTimeout(resolve, Math.min(2 ** retries * 500, LONGEST_PAUSE_MILLISECONDS)),
      ),
    on: { connected: turn(true), closed: turn(false) },
  });
  return {
    client,
    isUp: () => isUp,
    onChange: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

/** Null, where there is no socket: hooks ask again and again then. */
export const SocketContext = createContext<Socket | null>(null);

export function useSocketIsUp(): boolean {
  const socket = useContext(SocketContext);
  return useSyncExternalStore(socket?.onChange ?? never, socket?.isUp ?? isDown);
}

const isDown = () => false;
const never = () => () => {};
