/** A real browser for tests: a headless Chromium, driven by its DevTools protocol. */

import { Lines, within } from "./helpers.ts";

/** A promise in the page: two frames later, what was to be drawn is drawn. */
export const FRAMES =
  "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done())))";

/** What a page says of itself, once its plots are drawn. */
const LOOK = `(() => {
  const painted = (canvas) => new Set(new Uint32Array(
    canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.buffer)).size;
  return {
    title: document.title,
    overflow: document.documentElement.scrollWidth - innerWidth,
    plots: [...document.querySelectorAll(".plot canvas")].map(painted),
    scripts: document.scripts.length,
    images: document.images.length,
    ground: getComputedStyle(document.body).backgroundColor,
  };
})()`;

export interface Look {
  readonly title: string;
  readonly overflow: number;
  readonly plots: readonly number[];
  readonly scripts: number;
  readonly images: number;
  readonly ground: string;
}

/** A headless Chromium with one tab, and all that its pages complained about. */
export class Browser implements AsyncDisposable {
  readonly complaints: string[] = [];
  readonly #waiting = new Map<number | string, (answer: Record<string, unknown>) => void>();
  #session: string | undefined;
  #calls = 0;

  private constructor(
    readonly child: Deno.ChildProcess,
    readonly stderr: Lines,
    readonly folder: string,
    readonly socket: WebSocket,
  ) {
    socket.onmessage = ({ data }) => this.#heard(JSON.parse(data));
  }

  static async start(): Promise<Browser> {
    const folder = await Deno.makeTempDir();
    const args = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"];
    args.push("--disable-background-networking", "--disable-component-update", "--disable-sync");
    args.push(`--user-data-dir=${folder}`, "--remote-debugging-port=0", "about:blank");
    const child = new Deno.Command("chromium", { args, stdin: "null", stdout: "null", stderr: "piped" })
      .spawn();
    const lines = new Lines(child.stderr);
    try {
      const socket = new WebSocket((await lines.with("DevTools listening on ")).replace(/.* on /, ""));
      await within(5000, "a WebSocket to Chromium", new Promise((resolve) => socket.onopen = resolve));
      const browser = new Browser(child, lines, folder, socket);
      const { targetId } = await browser.call("Target.createTarget", { url: "about:blank" });
      const { sessionId } = await browser.call("Target.attachToTarget", { targetId, flatten: true });
      browser.#session = String(sessionId);
      for (const domain of ["Page", "Runtime", "Log"]) await browser.call(`${domain}.enable`);
      // Some errors, such as that of a ResizeObserver that sees what it does itself, reach the window alone.
      const source = "addEventListener('error', (event) => console.error(event.message))";
      await browser.call("Page.addScriptToEvaluateOnNewDocument", { source });
      return browser;
    } catch (error) {
      child.kill("SIGKILL");
      throw error;
    }
  }

  /** Asks for something by the DevTools protocol. */
  async call(method: string, params: Record<string, unknown> = {}): Promise<Record<string, unknown>> {
    const id = ++this.#calls;
    const answer = new Promise<Record<string, unknown>>((resolve) => this.#waiting.set(id, resolve));
    this.socket.send(JSON.stringify({ id, method, params, sessionId: this.#session }));
    const { error, result } = await within(10_000, method, answer);
    if (error !== undefined) throw new Error(`${method}: ${JSON.stringify(error)}`);
    return result as Record<string, unknown>;
  }

  /** Makes the window this wide. */
  async resize(width: number): Promise<void> {
    const size = { width, height: 800, deviceScaleFactor: 1, mobile: false };
    await this.call("Emulation.setDeviceMetricsOverride", size);
  }

  /** Shows a page in a window of this width. The colours change first, as they may while it is open too. */
  async show(file: string, width: number, scheme: "light" | "dark"): Promise<Look> {
    await this.resize(width);
    const features = [{ name: "prefers-color-scheme", value: scheme }];
    await this.call("Emulation.setEmulatedMedia", { features });
    const loaded = new Promise((resolve) => this.#waiting.set("Page.loadEventFired", resolve));
    await this.call("Page.navigate", { url: `file://${file}` });
    await within(10_000, `${file} loaded`, loaded);
    // The plots are drawn when the size of the page is first known, before the second frame.
    return await this.evaluate(`${FRAMES}.then(() => ${LOOK})`) as Look;
  }

  /** The value of an expression in the page. */
  async evaluate(expression: string): Promise<unknown> {
    const options = { awaitPromise: true, returnByValue: true };
    const answer = await this.call("Runtime.evaluate", { expression, ...options });
    return (answer["result"] as { value: unknown }).value;
  }

  /** The whole page as PNG. */
  async screenshot(): Promise<Uint8Array> {
    const { data } = await this.call("Page.captureScreenshot", { captureBeyondViewport: true });
    return Uint8Array.from(atob(String(data)), (character) => character.charCodeAt(0));
  }

  #heard(message: Record<string, unknown>): void {
    const { id, method, params } = message as { id?: number; method?: string; params?: unknown };
    if (/^(Runtime\.(consoleAPICalled|exceptionThrown)|Log\.entryAdded)$/.test(method ?? "")) {
      this.complaints.push(JSON.stringify(params));
    }
    this.#waiting.get(id ?? method ?? "")?.(message);
    this.#waiting.delete(id ?? method ?? "");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.socket.onclose = resolve);
    await this.call("Browser.close").catch(() => this.child.kill("SIGKILL"));
    await closed;
    await this.child.status;
    await this.stderr.ended; // its children have ended too, and write to the folder no more
    await Deno.remove(this.folder, { recursive: true });
  }
}
