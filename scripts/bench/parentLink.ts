/** The child's end of child.ts: answers each ask of the parent, and ends with it. */

/** Answers by `answer`; what it throws goes back as `error`. */
export function answerParent<Ask>(answer: (ask: Ask) => Promise<{ readonly error?: string }>): void {
  // Ctrl-C goes to the whole group; the parent decides when to end.
  process.on('SIGINT', () => undefined);
  process.on('disconnect', () => process.exit(0));
  process.on('message', (ask: Ask) => {
    answer(ask)
      .catch((error: unknown) => ({ error: String(error) }))
      .then((reply) => process.send?.(reply))
      .catch(() => process.exit(1));
  });
}
