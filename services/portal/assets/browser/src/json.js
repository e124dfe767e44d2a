// JSON whose integers keep all their digits: JSON.parse alone rounds those above 2^53.

import { Malformed } from "./bytes.js";

// A text, or a number outside of texts.
const PIECE = /"(?:[^"\\]|\\.)*"|-?[0-9][0-9.eE+-]*/g;

/** Reads JSON; numbers become {number: their text}, everything else as JSON.parse has it. */
export function parseJson(text) {
  try {
    JSON.parse(text);
    // Marked text by text, so that a text can't be taken for a number.
    const marked = text.replace(PIECE, (piece) => (piece.startsWith('"') ? `"$${piece.slice(1)}` : `"#${piece}"`));
    return unmarked(JSON.parse(marked));
  } catch (error) {
    throw new Malformed(`not JSON: ${error.message}`);
  }
}

function unmarked(value) {
  if (typeof value === "string") return value.startsWith("#") ? { number: value.slice(1) } : value.slice(1);
  if (Array.isArray(value)) return value.map(unmarked);
  if (value !== null && typeof value === "object") {
    return Object.fromEntries(Object.entries(value).map(([name, entry]) => [name.slice(1), unmarked(entry)]));
  }
  return value;
}
