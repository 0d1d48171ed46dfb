/**
 * What CI runs: the modules that ask the kernel or the file system for something, of which a policy or a view could refuse
 * it, and a few that do not. Left out are those that need a network, and those that take long, such as the ones about
 * multiprocessing, subprocesses and buffered files: packages.test.ts and the fixture `ordinary.py` do what they are about.
 */
export const subset = `
  builtin exceptions gc generators import sys
  atexit cmd_line code_module site sysconfig traceback
  bufio file fileinput fileio filecmp genericpath glob mmap netrc ntpath posixpath shutil tempfile univnewlines
  dbm dbm_dumb dbm_ndbm gzip mailbox memoryio pickle shelve sqlite3 tarfile zipfile zlib
  fcntl pipes poll popen posix pty pwd grp resource select selectors spwd sched wait3 wait4 tty
  contextlib_async queue thread threading threading_local
  ctypes hashlib locale math platform random secrets crypt readline
  getpass gettext strptime time datetime uuid zoneinfo runpy
`
  .trim()
  .split(/\s+/)
  .map((name) => `test_${name}`);
