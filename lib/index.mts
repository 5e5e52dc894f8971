/** ESM entry: the CommonJS core once more, so that native state exists once however it is imported. */
export * from './index.js';
