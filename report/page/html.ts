/** Templates of HTML that escape whatever they are given, unless a template has made it. */

/** A piece of finished HTML. Only `markup`, `json` and `trusted` make one. */
export class Html {
  constructor(readonly text: string) {}
}

type Piece = string | number | Html | readonly Piece[];

/** Characters that are not shown but act: control characters, and those that change the direction of the text. */
const CONTROLS = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;
const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** A tagged template. Its own text is HTML; values in `${}` are escaped. They may stand between tags or in quoted attributes. */
export function markup(own: TemplateStringsArray, ...pieces: readonly Piece[]): Html {
  return new Html(own.reduce((all, text, i) => all + show(pieces[i - 1] ?? "") + text));
}

/** Text that goes in unescaped: our own styles and scripts. Never use it for text that was read from a file. */
export function trusted(text: string): Html {
  return new Html(text);
}

/** A value as JSON for a script element. A `</script>` or `<!--` in it does not end the element. */
export function json(value: unknown): Html {
  return new Html(JSON.stringify(value).replaceAll("<", "\\u003c"));
}

function show(piece: Piece): string {
  if (piece instanceof Html) return piece.text;
  if (typeof piece === "object") return piece.map(show).join("");
  return String(piece).replace(CONTROLS, "\ufffd").replace(
    /[&<>"']/g,
    (character) => ENTITIES[character] ?? "",
  );
}
