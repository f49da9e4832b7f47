import { readFileSync } from "node:fs";
import { DateTime } from "luxon";

const holidays: string[] = JSON.parse(
  readFileSync(new URL("../holidays.json", import.meta.url), "utf8"),
);

// An enum is more than a type: Node cannot leave it out, it has to be compiled.
enum Day {
  Saturday = 6,
  Sunday = 7,
}

/** The first working day from a date on, that day included. */
export function workingDay(from: DateTime): DateTime {
  let day = from;
  while (day.weekday === Day.Saturday || day.weekday === Day.Sunday || isHoliday(day)) {
    day = day.plus({ days: 1 });
  }
  return day;
}

function isHoliday(day: DateTime): boolean {
  return holidays.includes(day.toFormat("MM-dd"));
}
