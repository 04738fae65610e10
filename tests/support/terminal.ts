/** A terminal for tests, which tmux provides. */

import { assertMatch } from "@std/assert";
import { ECHO, onEngine, ROOT, until } from "./helpers.ts";

/** Runs the words, then shows the exit code and whether the terminal echoes and edits lines again, as it should; sh itself survives Ctrl-C. */
export const SCRIPT =
  'trap : INT; "$@"; echo "[exit $?]"; stty -a | tr " ;" "\\n\\n" | grep -x -e "-*echo" -e "-*icanon" | xargs; exec cat';

/** A terminal of 100 columns with one program in it, and a tmux of its own around it. */
export class Terminal implements AsyncDisposable {
  /** Of a folder of its own: tmux leaves its socket there. */
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** Runs these words in a new terminal, by `script` of sh. */
  static async run(words: readonly string[], script = SCRIPT): Promise<Terminal> {
    const terminal = new Terminal(await Deno.makeTempDir({ prefix: "echo-test-" }));
    const size = ["-x", "100", "-y", "30"];
    await terminal.#tmux(
      "-u",
      "-f",
      "/dev/null",
      "new-session",
      "-d",
      ...size,
      "sh",
      "-c",
      script,
      "sh",
      ...words,
    );
    return terminal;
  }

  /** `echo connect WORDS` in a new terminal. */
  static connect(...words: string[]): Promise<Terminal> {
    return Terminal.run([...ECHO.filter((word) => word !== "serve"), ...onEngine(["connect", ...words])]);
  }

  /** Types text, and then presses the keys, by their names in tmux. */
  async type(text: string, ...keys: string[]): Promise<void> {
    if (text !== "") await this.#tmux("send-keys", "-l", "--", text);
    if (keys.length > 0) await this.#tmux("send-keys", ...keys);
  }

  /** All lines on the screen, without what is empty at its end. */
  async screen(): Promise<string> {
    return (await this.#tmux("capture-pane", "-p", "-J")).replaceAll(/[ \t]+$/gm, "").trimEnd();
  }

  /** Waits until the screen shows this. */
  async shows(what: string | RegExp, ms = 8000): Promise<string> {
    for (const end = performance.now() + ms;;) {
      const screen = await this.screen();
      if (typeof what === "string" ? screen.includes(what) : what.test(screen)) return screen;
      if (performance.now() > end) {
        throw new Error(`no ${what} within ${ms} ms; the screen shows:\n${screen}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 30));
    }
  }

  /** Waits for the end of the program. Returns its exit code; the terminal must be sane again. */
  async exit(ms?: number): Promise<number> {
    const screen = await this.shows(/\[exit \d+\]\n.*icanon/, ms);
    assertMatch(screen, /^(icanon echo|echo icanon)$/m, "the terminal is left in a bad state");
    return Number(/\[exit (\d+)\]/.exec(screen)![1]);
  }

  /** Waits until the program reads no keys: lines and echo are the terminal's own again. */
  async released(): Promise<void> {
    const tty = (await this.#tmux("display-message", "-p", "#{pane_tty}")).trim();
    await until("the program lets go of the terminal", async () => {
      const { stdout } = await new Deno.Command("stty", { args: ["-F", tty, "-a"] }).output();
      return / icanon/.test(new TextDecoder().decode(stdout));
    });
  }

  title(): Promise<string> {
    return this.#tmux("display-message", "-p", "#{pane_title}");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#tmux("kill-server");
    await Deno.remove(this.#folder, { recursive: true });
  }

  async #tmux(...words: string[]): Promise<string> {
    const { success, stdout, stderr } = await new Deno.Command("tmux", {
      args: ["-S", `${this.#folder}/tmux`, ...words],
      cwd: ROOT,
      env: { TERM: "xterm", LANG: "C.UTF-8", LC_ALL: "C.UTF-8", TMUX: "" },
    }).output();
    if (!success) throw new Error(`tmux ${words.join(" ")}: ${new TextDecoder().decode(stderr)}`);
    return new TextDecoder().decode(stdout);
  }
}
