// Room: the widget changes its height only when nothing that the reader sees moves by it.

/** What comes after an element in the page, at every level. */
function following(element: Element): Element[] {
  const found: Element[] = [];
  for (let node: Element | null = element; node; node = node.parentElement) {
    for (let next = node.nextElementSibling; next; next = next.nextElementSibling) found.push(next);
  }
  return found;
}

/** Try a change and take it back when it moves something in view; tells whether it stands. */
function unseen(element: Element, change: (done: boolean) => void): boolean {
  // Above the window, browsers that anchor scrolling hold what is in view in its place.
  if (element.getBoundingClientRect().bottom <= 0 && CSS.supports("overflow-anchor", "auto")) {
    change(true);
    return true;
  }
  const before = following(element).map((one) => [one, one.getBoundingClientRect()] as const);
  change(true);
  const moved = before.some(
    ([one, was]) =>
      was.height && was.bottom > 0 && was.top < innerHeight && Math.abs(one.getBoundingClientRect().top - was.top) > 0.5,
  );
  if (moved) change(false);
  return !moved;
}

/** Make a change as soon as it moves nothing in view: now, or when the element is scrolled out of it. */
export function whenUnseen(element: Element, change: (done: boolean) => void): boolean {
  if (unseen(element, change)) return true;
  const observer = new IntersectionObserver(() => {
    if (unseen(element, change)) observer.disconnect();
  });
  observer.observe(element);
  return false;
}

/** Call `then` when the element comes within `margin` of the window; at once where browsers cannot tell. */
export function whenNear(element: Element, margin: string, then: () => void): void {
  try {
    const observer = new IntersectionObserver(
      (entries) => {
        if (!entries.some((one) => one.isIntersecting)) return;
        observer.disconnect();
        then();
      },
      { rootMargin: `${margin} 0px` },
    );
    observer.observe(element);
  } catch {
    then();
  }
}
