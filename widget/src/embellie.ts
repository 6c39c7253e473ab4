// embellie's widget: one script tag, or <embellie-slate>. Shows a slate, reports what readers do, and never breaks the page.

import { depth, Engagement, referrerKind } from "./attention.ts";
import { type Body, type Consent, type Event, freshId, type Referrer } from "./events.ts";
import { Identity } from "./identity.ts";
import { SECONDS, SHARE, watch } from "./seeing.ts";
import { Sender } from "./sending.ts";
import { draw, showable, type Slate, slateUrl } from "./slate.ts";

const PATIENCE = 4000;
const RENEW = 60_000;
const COUNTS = 10; // engaged seconds from which leaving for another tab ends the read

declare global {
  interface Window {
    embellie?: { consent(state: Consent): void; version: string };
  }
}

type Data = Record<string, string | undefined>;

/** Do something that must never disturb the page. */
function quietly<T>(action: () => T): T | undefined {
  try {
    return action();
  } catch (error) {
    if (script?.dataset["debug"] !== undefined) console.debug("embellie:", error);
    return undefined;
  }
}

const script = (document.currentScript ??
  document.querySelector("script[data-site][data-key]")) as HTMLScriptElement | null;
const data: Data = script?.dataset ?? {};
const host = data["host"] ?? (script?.src ? new URL(script.src).origin : location.origin);
const site = data["site"] ?? "";
const key = data["key"] ?? "";
const language = data["lang"] ?? (document.documentElement.lang || "en");
const article = data["article"] ?? "";

const identity = new Identity(() => localStorage);
const sender = new Sender(`${host}/v1/events?${new URLSearchParams({ site, key })}`, {
  fetch: (url, options) => fetch(url, options),
  later: (action, milliseconds) => void setTimeout(() => quietly(action), milliseconds),
  random: Math.random,
});

function tell(body: Body): void {
  const header = { id: freshId(), site, at: new Date().toISOString(), consent: identity.consent };
  sender.add({ ...header, ...body } as Event);
}

function who(): { reader: string; visit: string } {
  return { reader: identity.reader, visit: identity.visit() };
}

// ---- the slate

class EmbellieSlate extends HTMLElement {
  private asked = false;

  connectedCallback(): void {
    if (this.asked) return;
    this.asked = true;
    this.hidden = true; // no room is taken until there is something to show
    void this.fill().catch(() => undefined);
  }

  private async fill(): Promise<void> {
    const placement = this.getAttribute("placement") ?? data["placement"] ?? "";
    const url = slateUrl(host, {
      site,
      key,
      placement,
      article: this.getAttribute("article") ?? article,
      ...who(),
      consent: identity.consent,
      language: this.lang || language,
      n: this.getAttribute("n") ?? data["n"] ?? "",
      exclude: this.getAttribute("exclude") ?? data["exclude"] ?? "",
    });
    const slate = showable(await ask(url), document.baseURI);
    if (slate?.items.length && this.isConnected) this.show(slate);
  }

  private show(slate: Slate): void {
    const heading = this.getAttribute("heading") ?? data["heading"] ?? null;
    const root = this.shadowRoot ?? this.attachShadow({ mode: "open" });
    const rows = draw(root, slate, this.lang || language, heading);
    this.hidden = false;
    const about = (index: number) => {
      const { article, position } = slate.items[index]!;
      return { slate_id: slate.slate_id, article, position };
    };
    rows.forEach((row, index) => {
      const chosen = (): void => {
        quietly(() => {
          tell({ kind: "click", ...about(index), ...who() });
          identity.chose(slate.items[index]!.article);
          sender.flush();
        });
      };
      const link = row.querySelector("a")!;
      link.addEventListener("click", chosen);
      link.addEventListener("auxclick", (event) => event.button === 1 && chosen());
    });
    watch(rows, (index, sight) =>
      quietly(() =>
        tell({
          kind: "impression",
          ...about(index),
          ...who(),
          ...sight,
          threshold_share: SHARE,
          threshold_seconds: SECONDS,
        }),
      ),
    );
  }
}

/** Ask for a slate; once more when the network or the server fails, within a few seconds in all. */
async function ask(url: string): Promise<unknown> {
  const until = performance.now() + PATIENCE;
  for (let tries = 0; tries < 2; tries++) {
    const left = until - performance.now();
    if (left < 200) break;
    const stop = new AbortController();
    const timer = setTimeout(() => stop.abort(), left);
    try {
      const answer = await fetch(url, { credentials: "omit", signal: stop.signal });
      if (answer.ok) return await answer.json();
      if (answer.status < 500) break; // asking again will not help, or not soon enough
    } catch {
      /* the network: once more */
    } finally {
      clearTimeout(timer);
    }
    await new Promise((go) => setTimeout(go, 200 + 300 * Math.random()));
  }
  return null;
}

// ---- the read: one per article page, told when the reader leaves

function follow(): void {
  if (!article) return;
  let engagement = new Engagement(performance.now());
  let deepest = 0;
  let told = false;
  let from: Referrer = identity.wasChosen(article) ? "recommendation" : referrerKind(document.referrer, location.hostname);
  const visible = (): boolean => document.visibilityState === "visible";
  let renewed = performance.now();
  identity.visit();
  const tick = (): void => {
    const now = performance.now();
    engagement.tick(now, visible());
    if (!visible()) return;
    deepest = Math.max(deepest, depth(scrollY, innerHeight, document.documentElement.scrollHeight));
    if (engagement.active(now) && now - renewed > RENEW) {
      renewed = now;
      identity.visit(); // a long read is one visit
    }
  };
  const finish = (): void => {
    if (told) return;
    told = true;
    tell({
      kind: "read",
      article,
      reader: identity.reader,
      visit: identity.lastVisit(),
      engaged_seconds: engagement.seconds,
      scroll_depth: deepest,
      referrer: from,
    });
  };
  tick();
  setInterval(tick, 1000);
  for (const sign of ["scroll", "keydown", "pointerdown", "pointermove", "touchstart", "wheel"]) {
    addEventListener(sign, () => engagement.touch(performance.now()), { passive: true, capture: true });
  }
  document.addEventListener("visibilitychange", () =>
    quietly(() => {
      // Count up to this moment as it was: what just became hidden was in view until now.
      engagement.tick(performance.now(), !visible());
      if (visible()) return;
      // A phone may never say more than this. A glance is kept open: its reader may come back to read.
      if (engagement.seconds >= COUNTS) finish();
    }),
  );
  addEventListener("pagehide", () =>
    quietly(() => {
      tick();
      finish();
    }),
  );
  addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    // Back by the browser's button: the same page, another read.
    engagement = new Engagement(performance.now());
    [deepest, told, from] = [0, false, "internal"];
  });
}

/** What waits leaves with the page: registered after `follow`, so that the read is among it. */
function flushOnLeaving(): void {
  const flush = (): unknown => quietly(() => sender.flush());
  document.addEventListener("visibilitychange", () => document.visibilityState === "hidden" && flush());
  addEventListener("pagehide", flush);
}

// ---- start

quietly(() => {
  if (window.embellie || !site) return;
  const told = identity.start(data["consent"]);
  if (told) tell({ kind: "consent", reader: told, state: identity.consent });
  window.embellie = {
    version: "1",
    consent(state) {
      quietly(() => {
        if (!["none", "measurement", "profiling"].includes(state)) return;
        const before = identity.consent;
        const reader = identity.change(state);
        if (!reader || (state !== "none" && state === before)) return;
        tell({ kind: "consent", reader, state });
        sender.flush();
      });
    },
  };
  if (data["placement"] && script?.isConnected && data["insert"] !== "no") {
    const slate = document.createElement("embellie-slate");
    slate.setAttribute("placement", data["placement"]);
    script.after(slate);
  }
  if (!customElements.get("embellie-slate")) customElements.define("embellie-slate", EmbellieSlate);
  follow();
  flushOnLeaving();
});
