/** What a password must be like before it is hashed. */

/** bcrypt reads no further than this, in bytes of UTF-8. Longer passwords are refused, never cut. */
export const maxPasswordBytes = 72;

/** True when bcrypt would read the whole password. */
export function fitsBcrypt(password: string): boolean {
  return Buffer.byteLength(password) <= maxPasswordBytes;
}

/**
 * What is wrong with a new password, for the person who chose it; `undefined` when nothing is.
 * Characters are Unicode code points. The text is used exactly as received: neither trimmed nor normalised
 * (OWASP ASVS 5.0, 6.2.8).
 */
export function passwordProblem(password: string, minLength: number): string | undefined {
  // A lone surrogate has no UTF-8 form: all of them would be hashed as the same replacement character.
  if (/\p{Surrogate}/u.test(password)) return 'must be valid Unicode text';
  if ([...password].length < minLength) return `must have at least ${minLength} characters`;
  if (!fitsBcrypt(password)) {
    return `must have at most ${maxPasswordBytes} bytes in UTF-8 (letters beyond ASCII take two to four bytes)`;
  }
  return undefined;
}
