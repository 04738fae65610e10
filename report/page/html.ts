/** HTML that cannot be broken out of: what a template is given is text, unless a template has made it. */

/** A piece of finished HTML. Only `markup`, `json` and `trusted` make one. */
export class Html {
  constructor(readonly text: string) {}
}

type Piece = string | number | Html | readonly Piece[];

/** Characters that steer instead of showing: controls, and those that turn the direction of the text around them. */
const STEERING = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;
const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** The template's own text is HTML; what stands in `${}` is escaped, for between tags and for quoted attributes. */
export function markup(own: TemplateStringsArray, ...pieces: readonly Piece[]): Html {
  return new Html(own.reduce((all, text, i) => all + show(pieces[i - 1] ?? "") + text));
}

/** For text of our own that must go in as it is: styles and scripts. Never for anything that was read. */
export function trusted(text: string): Html {
  return new Html(text);
}

/** A value as JSON inside of a script element, which no `</script>` or `<!--` in a string of it can end. */
export function json(value: unknown): Html {
  return new Html(JSON.stringify(value).replaceAll("<", "\\u003c"));
}

function show(piece: Piece): string {
  if (piece instanceof Html) return piece.text;
  if (typeof piece === "object") return piece.map(show).join("");
  return String(piece).replace(STEERING, "\ufffd").replace(
    /[&<>"']/g,
    (character) => ENTITIES[character] ?? "",
  );
}
