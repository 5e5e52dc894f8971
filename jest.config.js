module.exports = {
  // Not the root: .libtorch/ and build/ hold tens of thousands of files to crawl.
  roots: ['<rootDir>/test'],
  testMatch: ['<rootDir>/test/**/*.test.ts'],
  // The package as its users get it: built, by its name.
  moduleNameMapper: { '^brain3d$': '<rootDir>/dist/index.js' },
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      {
        jsc: { parser: { syntax: 'typescript' }, target: 'es2022' },
        module: { type: 'commonjs' },
        sourceMaps: 'inline',
      },
    ],
  },
  testEnvironment: '<rootDir>/test/jest-environment.js',
  // Native code is tested too: each worker holds its own LibTorch and threads.
  maxWorkers: 2,
  // A test that hangs is ended; none may come near it, on a busy machine neither.
  testTimeout: 600_000,
};
