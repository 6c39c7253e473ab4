import assert from "node:assert/strict";
import { test } from "node:test";
import { showable, slateUrl, webUrl, words } from "../src/slate.ts";

const item = { article: "a", position: 1, url: "/a", title: "A", image: null, reason: "" };

test("what is empty is not asked", () => {
  const url = slateUrl("https://h", {
    site: "g", key: "pk_x", placement: "p q", article: "é&1", reader: "", visit: "", consent: "none", language: "fr", n: "", exclude: "",
  }); // prettier-ignore
  assert.equal(url, "https://h/v1/slate?site=g&key=pk_x&placement=p+q&article=%C3%A9%261&consent=none&language=fr");
});

test("only what can be shown is kept", () => {
  const slate = showable(
    { slate_id: "s", items: [item, { ...item, title: "" }, { ...item, url: "javascript:alert(1)" }, { ...item, url: "" }, null] },
    "https://g.example/x",
  );
  assert.deepEqual(slate?.items, [item]);
});

test("an answer that is no slate shows nothing", () => {
  for (const answer of [null, undefined, 3, "x", {}, { slate_id: 1, items: [] }, { slate_id: "s" }, { items: [item] }]) {
    assert.equal(showable(answer, "https://g.example/"), null);
  }
});

test("addresses are web addresses or none", () => {
  const base = "https://g.example/x";
  assert.equal(webUrl("/été", base), "https://g.example/%C3%A9t%C3%A9");
  for (const bad of ["javascript:alert(1)", " javascript:alert(1)", "data:text/html,x", "http://", null, ""]) {
    assert.equal(webUrl(bad, base), "");
  }
});

test("words follow the page's language", () => {
  assert.deepEqual([words("fr-FR").heading, words("de").heading], ["À lire aussi", "Read next"]);
});
