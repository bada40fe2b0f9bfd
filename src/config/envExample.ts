/** Prints `.env.example` from the settings table: `npm run env-example`. */
import type { z } from 'zod';
import { groups, settingDoc, settings } from './settings.ts';

/** The whole text of `.env.example`. */
export function envExample(): string {
  const sections = Object.entries(groups).map(([group, title]) => {
    const lines = Object.entries(settings)
      .filter(([, schema]) => settingDoc(schema).group === group)
      .flatMap(([name, schema]) => [...describe(name, schema), '']);
    return [`# ── ${title} ──`, '', ...lines].join('\n');
  });
  return `# Every variable that Sluice reads, with its default. Made by: npm run env-example\n\n${sections.join('\n')}`;
}

function describe(name: string, schema: z.ZodType): string[] {
  const { text, example, secret } = settingDoc(schema);
  const fallback = defaultOf(schema);
  const comment = [`# ${text}`];
  if (secret === true) comment.push(`# As a file: ${name}_FILE=/run/secrets/${name.toLowerCase()}`);
  if (name === 'REDIS_CLUSTER_NODES')
    comment.push('# The same, one by one: REDIS_NODE_1_HOST, REDIS_NODE_1_PORT, REDIS_NODE_2_HOST, …');
  const line = fallback === undefined ? `# ${name}=${example ?? ''}` : `${name}=${fallback}`;
  return [...comment, line];
}

function defaultOf(schema: z.ZodType): string | undefined {
  const { data } = schema.safeParse(undefined);
  return typeof data === 'string' || typeof data === 'number' || typeof data === 'boolean' ? String(data) : undefined;
}
