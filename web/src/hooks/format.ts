/** Numbers and times as people of this browser's language and place write them. */

const numbers = new Intl.NumberFormat();
const moments = new Intl.DateTimeFormat(undefined, {
  year: "numeric",
  month: "short",
  day: "numeric",
  hour: "2-digit",
  minute: "2-digit",
  timeZoneName: "short",
});
const days = new Intl.DateTimeFormat(undefined, {
  year: "numeric",
  month: "short",
  day: "numeric",
  timeZone: "UTC",
});
const months = new Intl.DateTimeFormat(undefined, {
  year: "numeric",
  month: "short",
  timeZone: "UTC",
});
const shortDays = new Intl.DateTimeFormat(undefined, {
  month: "short",
  day: "numeric",
  timeZone: "UTC",
});
const compact = new Intl.NumberFormat(undefined, { notation: "compact" });
// A sentence's words, which are English.
const ages = new Intl.RelativeTimeFormat("en", { numeric: "auto" });

export function formatNumber(value: number): string {
  return numbers.format(value);
}

/** "1 credit", "2,000 credits". */
export function formatCount(value: number, one: string, many = `${one}s`): string {
  return `${formatNumber(value)} ${Math.abs(value) === 1 ? one : many}`;
}

/** With the zone, in which the time is that of the reader. */
export function formatMoment(iso: string): string {
  return moments.format(new Date(iso));
}

/** Of a day in UTC, as 2026-11-22. */
export function formatDay(day: string): string {
  return days.format(new Date(`${day}T00:00:00Z`));
}

/** Of a month in UTC, as 2026-11. */
export function formatMonth(month: string): string {
  return months.format(new Date(`${month}-01T00:00:00Z`));
}

/** Without its year. */
export function formatShortDay(day: string): string {
  return shortDays.format(new Date(`${day}T00:00:00Z`));
}

/** "12K": where there is little room. */
export function formatCompact(value: number): string {
  return compact.format(value);
}

/** "3 minutes ago", "5 hours ago", "2 days ago". */
export function formatAge(seconds: number): string {
  if (seconds < 3600) return ages.format(-Math.round(seconds / 60), "minute");
  if (seconds < 86_400) return ages.format(-Math.round(seconds / 3600), "hour");
  return ages.format(-Math.round(seconds / 86_400), "day");
}
