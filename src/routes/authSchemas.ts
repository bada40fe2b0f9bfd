/** The bodies of the auth routes, going in and coming out: for validation and for the OpenAPI document. */
import { z } from 'zod';

const email = z
  .string()
  .max(1024)
  .meta({ format: 'email', description: 'At most 254 bytes.', examples: ['ada@example.com'] });
const password = z.string().min(1).meta({ format: 'password' });
const newPassword = password.meta({
  format: 'password',
  description: 'At most 72 bytes in UTF-8; the least number of characters is configured (8 by default).',
});
const refreshToken = z.string().min(1).max(1024).meta({ description: 'Opaque; replaced at each refresh.' });

const user = z.strictObject({
  id: z.uuid(),
  email: z.string().meta({ format: 'email', description: 'As it was typed.' }),
  createdAt: z.iso.datetime(),
});

/** All strict: an unknown field is an error, not noise. */
export const authSchemas = {
  register: z.strictObject({ email, password: newPassword }),
  login: z.strictObject({ email, password }),
  refresh: z.strictObject({ refreshToken }),
  logout: z.strictObject({ refreshToken }),
  password: z.strictObject({ currentPassword: password, newPassword }),
  userAnswer: z.strictObject({ user }),
  tokensAnswer: z.strictObject({
    accessToken: z.string().meta({ description: 'A JWT for the Authorization header.' }),
    tokenType: z.literal('Bearer'),
    expiresIn: z.int().positive().meta({ description: 'Life of the access token in seconds.' }),
    refreshToken,
  }),
};
