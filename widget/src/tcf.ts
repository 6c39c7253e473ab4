// TCF: what a consent tool (CMP) of IAB Europe's Transparency and Consent Framework, version 2, says, as one of our states.

import type { Consent } from "./events.ts";

const EVERY = 500;
const LOOKS = 120; // a minute: a tool may load after us

interface Told {
  gdprApplies?: boolean;
  eventStatus?: string;
  purpose?: { consents?: Record<number, boolean> };
}

export type Tcf = (command: string, version: number, answer: (told: Told, fine: boolean) => void) => void;

/**
 * Tell what was agreed to; null while there is no answer yet.
 *
 * Purpose 1 is storage on the device, 8 and 9 measuring content and audiences, 5 and 6 profiles for choosing content.
 * Consent alone counts, no legitimate interest: without storage nothing can be measured per reader.
 */
export function stateOf(told: Told, outside: Consent): Consent | null {
  if (told.gdprApplies === false) return outside;
  if (told.eventStatus !== "tcloaded" && told.eventStatus !== "useractioncomplete") return null;
  const all = (...purposes: number[]): boolean => purposes.every((one) => told.purpose?.consents?.[one] === true);
  return !all(1, 8, 9) ? "none" : all(5, 6) ? "profiling" : "measurement";
}

/** Follow the tool: `say` is called with each answer, the first and every change. */
export function listen(
  find: () => Tcf | undefined,
  outside: Consent,
  say: (state: Consent) => void,
  later: (action: () => void, milliseconds: number) => void,
  looks: number = LOOKS,
): void {
  const tool = find();
  if (typeof tool === "function") {
    tool("addEventListener", 2, (told, fine) => {
      const state = fine && stateOf(told, outside);
      if (state) say(state);
    });
  } else if (looks) later(() => listen(find, outside, say, later, looks - 1), EVERY);
}
