// Numbers as people read them.

const LANGUAGE = "en-GB";

/** 12345 -> "12,345" */
export function count(number) {
  return new Intl.NumberFormat(LANGUAGE, { maximumFractionDigits: 0 }).format(number);
}

/** "1 face", "2 faces" */
export function counted(number, one, several = `${one}s`) {
  return `${count(number)} ${number === 1 ? one : several}`;
}

/** A distance or threshold, three decimals. */
export function distance(squaredL2) {
  return squaredL2.toFixed(3);
}

function rounded(number, digits = 2) {
  return Number(number.toPrecision(digits));
}

/** A rate in words: 0.001 -> "1 in 1,000", 0.25 -> "25 %". */
export function oneIn(rate) {
  if (rate <= 0) return "none";
  return rate >= 0.095 ? percent(rate) : `1 in ${count(rounded(1 / rate))}`;
}

/** A rate among things: "1 in 1,000 pairs", "25 % of pairs". */
export function oneInOf(rate, things) {
  return rate >= 0.095 ? `${percent(rate)} of ${things}` : `${oneIn(rate)} ${things}`;
}

/** 0.0123 -> "1.2 %" */
export function percent(share) {
  const hundredths = share * 100;
  const shown = hundredths === 0 || Math.abs(hundredths) >= 10 ? hundredths.toFixed(0) : String(rounded(hundredths));
  return `${shown.includes("e") ? Number(shown).toFixed(6) : shown} %`;
}

/** A small rate as a power of ten: 0.00012 -> "1.2e-4". */
export function scientific(rate) {
  const [mantissa, exponent] = rate.toExponential(2).split("e");
  return `${Number(mantissa)}e${Number(exponent)}`;
}

/** 12.34 -> "12.3 ms", 1234 -> "1.23 s" */
export function milliseconds(ms) {
  if (ms >= 1000) return `${(ms / 1000).toPrecision(3)} s`;
  return `${ms >= 100 ? ms.toFixed(0) : ms.toFixed(1)} ms`;
}

/** 1536000 -> "1.5 MB" */
export function bytes(number) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  const step = number < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(number) / 3));
  return `${rounded(number / 1000 ** step, 3)} ${units[step]}`;
}

/** An ISO 8601 time as a date and a time of this browser's zone. */
export function moment(iso) {
  return new Intl.DateTimeFormat(LANGUAGE, { dateStyle: "medium", timeStyle: "short" }).format(new Date(iso));
}

/** "low_quality" -> "low quality" */
export function words(name) {
  return name.replaceAll("_", " ");
}

/** A sentence begins with a capital. */
export function sentence(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Any value of a problem document or a quality report, short. */
export function fact(value) {
  if (value === null || value === undefined) return "not known";
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value === "number") return Number.isInteger(value) ? count(value) : String(rounded(value, 4));
  if (Array.isArray(value)) return value.map(fact).join(", ") || "none";
  if (typeof value === "object")
    return Object.entries(value)
      .map(([name, inner]) => `${words(name)}: ${fact(inner)}`)
      .join("; ");
  return String(value);
}
