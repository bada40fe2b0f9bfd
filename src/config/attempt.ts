/** Reads settings one by one, so that one bad value does not hide the next. */

/** Runs `read`; what it throws becomes a line of problems that begins with the variable's name. */
export type Attempt = <T>(name: string, read: () => T) => T | undefined;

/** The lines go to `problems`. */
export function createAttempt(problems: string[]): Attempt {
  return (name, read) => {
    try {
      return read();
    } catch (error) {
      problems.push(`${name}: ${(error as Error).message}`);
      return undefined;
    }
  };
}
