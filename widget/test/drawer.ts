// A storage for tests: what is kept are its own properties, as a browser's storage shows them.
const hidden = { enumerable: false, writable: true, value: 0 };

export class Drawer {
  [name: string]: unknown;

  constructor() {
    Object.defineProperties(this, { reads: hidden });
  }

  getItem(name: string): string | null {
    (this as unknown as { reads: number }).reads++;
    return Object.keys(this).includes(name) ? (this[name] as string) : null;
  }
  setItem(name: string, value: string): void {
    this[name] = value;
  }
  removeItem(name: string): void {
    delete this[name];
  }
}

export function drawer(): Drawer & globalThis.Storage & { reads: number } {
  return new Drawer() as Drawer & globalThis.Storage & { reads: number };
}

export function size(one: Drawer): number {
  return Object.keys(one).length;
}
