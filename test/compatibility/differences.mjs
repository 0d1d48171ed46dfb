/** Why a module of CPython's own tests passes unconfined, but not confined. docs/compatibility.md says more about each. */

const READ_ONLY =
  'tidies up by deleting files that are not there, next to the standard library: EROFS from a read-only view, ENOENT elsewhere';
const NO_TERMINALS = 'asks for a pseudo-terminal: there is no /dev/ptmx';

/** @type {Readonly<Record<string, string>>} */
export const differences = {
  test_bdb: READ_ONLY,
  test_doctest: READ_ONLY,
  test_import: READ_ONLY,
  test_importlib: READ_ONLY,
  test_pickle: READ_ONLY,
  test_runpy: READ_ONLY,
  test_trace: READ_ONLY,
  test_fcntl: 'asks for notices of changes in a directory: refused',
  test_posix: 'sets user and group ids, to the ones that it has: refused',
  test_openpty: NO_TERMINALS,
  test_pty: NO_TERMINALS,
  test_readline: NO_TERMINALS,
  test_resource: 'raises its own hard limit of CPU time, which is none elsewhere',
  test_spwd: 'expects a shadow file that it may not read: there is none',
};
