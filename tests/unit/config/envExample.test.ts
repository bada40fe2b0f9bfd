import { readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';
import { envExample } from '../../../src/config/envExample.ts';
import { loadConfig } from '../../../src/config/loadConfig.ts';
import { settings } from '../../../src/config/settings.ts';

const text = readFileSync('.env.example', 'utf8');

describe('.env.example', () => {
  it('is what the settings table prints (npm run env-example)', () => {
    expect(text).toBe(envExample());
  });

  it('shows every setting', () => {
    for (const name of Object.keys(settings)) expect(text).toMatch(new RegExp(`^(# )?${name}=`, 'm'));
  });

  it('changes nothing when it is used as it is', () => {
    expect(loadConfig(parseEnv(text) as Record<string, string>)).toEqual(loadConfig({}));
  });
});
