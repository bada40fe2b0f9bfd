/** Tests run as native ES modules (see scripts/test.mjs); swc only strips the types. */
export default {
  testEnvironment: 'node',
  testMatch: ['<rootDir>/tests/**/*.test.ts'],
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '\\.ts$': ['@swc/jest', { jsc: { target: 'es2022', parser: { syntax: 'typescript' } } }],
  },
  globalSetup: '<rootDir>/tests/environment/globalSetup.ts',
  globalTeardown: '<rootDir>/tests/environment/globalTeardown.ts',
  // One file at a time: the tests share two cores with the servers that they start,
  // and several of them watch deadlines of tens of milliseconds.
  maxWorkers: 1,
  testTimeout: 60_000,
};
