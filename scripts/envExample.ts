/** `npm run env-example`: writes `.env.example` from the settings table. */
import { writeFileSync } from 'node:fs';
import { envExample } from '../src/config/envExample.ts';

writeFileSync('.env.example', envExample());
