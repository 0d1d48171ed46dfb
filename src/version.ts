/** The version of this package, which the native library must share. A test compares it with package.json. */
export const VERSION = '0.1.0';
