// Slate: asking for it, and showing it as a list of links that keeps to itself.

import type { Consent } from "./events.ts";

export interface Item {
  article: string;
  position: number;
  url: string;
  title: string;
  image: string | null;
  reason: string;
}

export interface Slate {
  slate_id: string;
  items: Item[];
}

export interface Question {
  site: string;
  key: string;
  placement: string | undefined;
  article: string | undefined;
  reader: string;
  visit: string;
  consent: Consent;
  language: string;
  n: string | undefined;
  exclude: string | undefined;
}

const WORDS = {
  en: { heading: "Read next", list: "Recommended articles", why: "Why this article?" },
  fr: { heading: "À lire aussi", list: "Articles recommandés", why: "Pourquoi cet article ?" },
};

/** The words for a page's language; English when we have no better. */
export function words(language: string): (typeof WORDS)["en"] {
  return language.toLowerCase().startsWith("fr") ? WORDS.fr : WORDS.en;
}

/** The address to ask, without what is empty. */
export function slateUrl(host: string, question: Question): string {
  const asked = Object.entries(question).filter(([, value]) => value) as string[][];
  return `${host}/v1/slate?${new URLSearchParams(asked)}`;
}

/** Keep what can be shown: a title, and an address a browser may safely open. */
export function showable(answer: unknown, base: string): Slate | null {
  const raw = answer as Partial<Slate> | null;
  if (typeof raw?.slate_id !== "string" || !Array.isArray(raw.items)) return null;
  const items = raw.items.filter((item) => item?.article && item.title && webUrl(item.url, base));
  return { slate_id: raw.slate_id, items };
}

/** An absolute http or https address, or "". */
export function webUrl(url: string | null | undefined, base: string): string {
  try {
    const found = new URL(url || "", base);
    return url && /^https?:$/.test(found.protocol) ? found.href : "";
  } catch {
    return "";
  }
}

// The margin is padding inside: it belongs to the height that a page reserves, and collapses with nothing.
const CSS = `
:host{display:block}
[hidden]{display:none}
nav{padding-block:var(--embellie-margin,2rem)}
h2{font-size:1.15em;margin:0 0 .6em}
ul{list-style:none;margin:0;padding:0;display:grid;gap:var(--embellie-gap,1rem);grid-template-columns:repeat(auto-fit,minmax(min(100%,var(--embellie-width,13rem)),1fr))}
a{color:inherit;text-decoration:none;display:block;overflow-wrap:anywhere}
a:hover{text-decoration:underline}
div{aspect-ratio:16/9;overflow:hidden;margin-bottom:.5em;background:#8882}
img{width:100%;height:100%;object-fit:cover}
span{font-weight:600;line-height:1.3}
details{font-size:.8em;margin-top:.3em}
summary{cursor:pointer;display:inline-block;line-height:24px;text-decoration:underline dotted}
p{margin:0}
@media(forced-colors:active){a{text-decoration:underline}}
@media print{:host{display:none}}`;

/** Draw a slate, hidden; returns it and the element of each item, in order. All text is set as text, never as HTML. */
export function draw(root: ShadowRoot, slate: Slate, language: string, heading: string | undefined): [HTMLElement, HTMLElement[]] {
  const say = words(language);
  const page = document;
  const make = <K extends keyof HTMLElementTagNameMap>(name: K, part: string, text = ""): HTMLElementTagNameMap[K] => {
    const made = page.createElement(name);
    made.setAttribute("part", part);
    if (text) made.textContent = text;
    return made;
  };
  const nav = make("nav", "slate");
  nav.setAttribute("aria-label", say.list);
  const title = heading ?? say.heading;
  if (title) nav.append(make("h2", "heading", title));
  const list = make("ul", "list");
  const drawn = slate.items.map((item) => {
    const row = make("li", "item");
    const link = make("a", "link");
    link.href = item.url; // `showable` has checked it
    const image = webUrl(item.image, page.baseURI);
    if (image) {
      const picture = make("img", "image");
      picture.alt = ""; // the title beside it says it all
      picture.loading = "lazy";
      picture.src = image;
      picture.onerror = () => picture.remove(); // its frame stays: nothing moves
      const frame = make("div", "frame");
      frame.append(picture);
      link.append(frame);
    }
    link.append(make("span", "title", item.title));
    row.append(link);
    if (item.reason) {
      const details = make("details", "why");
      details.append(make("summary", "ask", say.why), make("p", "reason", item.reason));
      row.append(details);
    }
    list.append(row);
    return row;
  });
  nav.append(list);
  nav.hidden = true;
  root.append(nav);
  return [nav, drawn];
}

/** A constructed sheet passes a strict content security policy; a style element is for older browsers. */
export function dress(root: ShadowRoot): void {
  try {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(CSS);
    root.adoptedStyleSheets = [sheet];
  } catch {
    const style = document.createElement("style");
    style.textContent = CSS;
    root.append(style);
  }
}
