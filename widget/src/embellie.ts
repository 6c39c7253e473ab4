// embellie's widget: one script tag, or <embellie-slate>. Shows a slate, reports what readers do, and never breaks the page.

import { depth, Engagement, referrerKind } from "./attention.ts";
import { type Body, type Consent, freshId, line, type Referrer } from "./events.ts";
import { Identity } from "./identity.ts";
import { Shelf } from "./keeping.ts";
import { whenNear, whenUnseen } from "./room.ts";
import { SECONDS, SHARE, visible, watch } from "./seeing.ts";
import { Sender } from "./sending.ts";
import { draw, dress, type Item, showable, slateUrl } from "./slate.ts";
import { listen, type Tcf } from "./tcf.ts";

const PATIENCE = 4000;
const RENEW = 60_000;
const COUNTS = 10; // engaged seconds from which leaving for another tab ends the read

declare global {
  interface Window {
    embellie?: { consent(state: Consent): void; version: string };
    __tcfapi?: Tcf;
  }
  interface Document {
    prerendering?: boolean;
  }
}

type Data = Record<string, string | undefined>;

/** Do something that must never disturb the page. */
function quietly(action: () => unknown): void {
  try {
    action();
  } catch (error) {
    debug(error);
  }
}

function on(target: EventTarget, name: string, action: (event: Event) => unknown, options?: AddEventListenerOptions): void {
  target.addEventListener(name, (event) => quietly(() => action(event)), options);
}

function debug(said: unknown): void {
  if (data["debug"] !== undefined) console.debug("embellie:", said);
}

const script = (document.currentScript ??
  document.querySelector("script[data-site][data-key]")) as HTMLScriptElement | null;
const data: Data = script?.dataset ?? {};
const host = data["host"] ?? new URL(script?.src || location.href).origin;
const site = data["site"] ?? "";
const key = data["key"] ?? "";
const language = data["lang"] ?? (document.documentElement.lang || "en");
const article = data["article"] ?? "";

const later = (action: () => void, milliseconds: number): void => void setTimeout(() => quietly(action), milliseconds);
const identity = new Identity(() => localStorage, undefined, undefined, data["reader"]);
const shelf = new Shelf(() => localStorage, site, freshId(), () => identity.consent !== "none");
const sender = new Sender(
  `${host}/v1/events?${new URLSearchParams({ site, key })}`,
  {
    fetch: (url, options) => fetch(url, options),
    later,
    chance: Math.random,
    online: () => navigator.onLine !== false,
    clock: () => performance.now(),
  },
  shelf,
);

function tell(body: Body): void {
  sender.add(line({ id: freshId(), site, at: new Date().toISOString(), consent: identity.consent, ...body }));
}

function who(): { reader: string; visit: string } {
  return { reader: identity.reader, visit: identity.visit() };
}

// ---- the slate

class EmbellieSlate extends HTMLElement {
  private asked?: boolean;

  connectedCallback(): void {
    if (this.asked) return;
    this.asked = true;
    quietly(() => {
      const slate = this.dataset["slateId"];
      if (slate) {
        const adopt = (): void => this.adopt(slate);
        // The element may be met before the links in it.
        return document.readyState === "loading" ? on(document, "DOMContentLoaded", adopt) : adopt();
      }
      const root = this.attachShadow({ mode: "open" });
      dress(root);
      root.append(document.createElement("slot")); // what the page put inside stands until a slate does
      const fill = (): void => void this.fill(root).catch(() => undefined);
      const lazy = this.setting("lazy");
      lazy === undefined ? fill() : whenNear(this, lazy || "100%", fill);
    });
  }

  private setting(name: string): string | undefined {
    return this.getAttribute(name) ?? data[name];
  }

  private async fill(root: ShadowRoot): Promise<void> {
    const url = slateUrl(host, {
      site,
      key,
      placement: this.setting("placement"),
      article: this.setting("article"),
      ...who(),
      consent: identity.consent,
      language: this.lang || language,
      n: this.setting("n"),
      exclude: this.setting("exclude"),
    });
    const slate = showable(await ask(url), document.baseURI);
    const slot = root.firstElementChild as HTMLElement;
    if (!slate?.items.length) {
      // Room that the page reserved for nothing goes when nobody looks.
      if (!this.childElementCount) whenUnseen(this, (gone) => (this.style.display = gone ? "none" : ""));
      return;
    }
    const [nav, rows] = draw(root, slate, this.lang || language, this.setting("heading"));
    const show = (shown: boolean): void => {
      slot.hidden = shown;
      nav.hidden = !shown;
    };
    if (data["shift"] === "allow") show(true);
    else if (!whenUnseen(this, show)) console.info("embellie: slate held back: it would move what is in view");
    report(slate.slate_id, slate.items, rows);
  }

  /** Links that the newspaper's own server put here are followed as they are. */
  private adopt(slate: string): void {
    const links = Array.from(this.querySelectorAll<HTMLAnchorElement>("a[data-article]"));
    const items = links.map(({ dataset }, index) => ({
      article: dataset["article"]!,
      position: Number(dataset["position"]) || index + 1,
    }));
    report(slate, items, links);
  }
}

/** Tell what becomes of a slate's items: seen, chosen. Each row is a link, or holds one. */
function report(slate_id: string, items: readonly Pick<Item, "article" | "position">[], rows: HTMLElement[]): void {
  const about = (index: number) => {
    const { article, position } = items[index]!;
    return { slate_id, article, position, ...who() };
  };
  rows.forEach((row, index) => {
    const chosen = (): void => {
      tell({ kind: "click", ...about(index) });
      identity.chose(items[index]!.article);
      sender.flush();
    };
    const link = row.matches("a") ? row : row.querySelector("a")!;
    on(link, "click", chosen);
    on(link, "auxclick", (event) => (event as MouseEvent).button === 1 && chosen());
  });
  watch(rows, (index, sight) =>
    quietly(() =>
      tell({ kind: "impression", ...about(index), ...sight, threshold_share: SHARE, threshold_seconds: SECONDS }),
    ),
  );
}

/** Ask for a slate; once more when the network or the server fails, within a few seconds in all. */
async function ask(url: string): Promise<unknown> {
  const stop = new AbortController();
  later(() => stop.abort(), PATIENCE);
  for (let tries = 0; tries < 2; tries++) {
    try {
      const answer = await fetch(url, { credentials: "omit", signal: stop.signal });
      sender.heard(answer.ok);
      if (answer.ok) return await answer.json();
      if (answer.status < 500) break; // asking again will not help, or not soon enough
    } catch {
      /* the network: once more */
    }
    await new Promise<void>((go) => later(go, 200 + 300 * Math.random()));
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
  for (const sign of ["scroll", "keydown", "pointerdown", "pointermove", "wheel"])
    on(window, sign, () => engagement.touch(performance.now()), { passive: true, capture: true });
  on(document, "visibilitychange", () => {
      // Count up to this moment as it was: what just became hidden was in view until now.
      engagement.tick(performance.now(), !visible());
      if (visible()) return;
      // A phone may never say more than this. A glance is kept open: its reader may come back to read.
      if (engagement.seconds >= COUNTS) finish();
  });
  on(window, "pagehide", () => {
    tick();
    finish();
  });
  on(window, "pageshow", (event) => {
    if (!(event as PageTransitionEvent).persisted) return;
    identity.sync();
    sender.retry();
    // Back by the browser's button: the same page, another read.
    engagement = new Engagement(performance.now());
    [deepest, told, from] = [0, false, "internal"];
  });
}

/** What waits leaves with the page: registered after `follow`, so that the read is among it. */
function deliver(): void {
  sender.resume();
  on(document, "visibilitychange", () => (visible() ? identity.sync() : sender.leave()));
  on(window, "pagehide", () => sender.leave());
  on(window, "online", () => {
    sender.resume();
    sender.retry();
  });
  on(window, "storage", () => identity.sync()); // another tab withdrew
}

// ---- start

let decided = false;

function take(state: Consent): void {
  if (!/^(none|measurement|profiling)$/.test(state)) return;
  const before = identity.consent;
  const reader = identity.change(state);
  if (state === "none") shelf.clear();
  else sender.resume();
  if (!reader || (state !== "none" && state === before)) return;
  tell({ kind: "consent", reader, state });
  sender.flush();
}

/** Do something once the page is before a reader: one that a browser prepares in advance may never be. */
function whenLive(action: () => void): void {
  if (document.prerendering) on(document, "prerenderingchange", action, { once: true });
  else quietly(action);
}

quietly(() => {
  if (window.embellie || !site) return;
  window.embellie = {
    version: "1",
    consent(state) {
      decided = true; // the page's own word is above a tool's
      whenLive(() => take(state));
    },
  };
  whenLive(() => {
    const told = identity.start(data["consent"]);
    if (told) tell({ kind: "consent", reader: told, state: identity.consent });
    const outside = data["tcf"];
    if (outside !== undefined)
      listen(
        () => window.__tcfapi,
        (outside || "none") as Consent,
        (state) => quietly(() => decided || take(state)),
        later,
      );
    if (data["placement"] && script?.isConnected && data["insert"] !== "no") {
      const slate = document.createElement("embellie-slate");
      slate.setAttribute("placement", data["placement"]);
      script.after(slate);
    }
    if (!customElements.get("embellie-slate")) customElements.define("embellie-slate", EmbellieSlate);
    follow();
    deliver();
  });
});
