# Both products stand alone: no C library, no start files, no dependency on the node that builds them.
# Built by `npm run build:native`. Whatever changes here changes the hash in prebuilds/*/sources.sha256.
{
  'target_defaults': {
    # The compiler's own routines (a bit count, say) are static and need no C library.
    'libraries': ['-lgcc'],
    'include_dirs': ['<(module_root_dir)', '<(module_root_dir)/include'],
    'defines': ['_GNU_SOURCE', 'PINFOLD_VERSION="<!(node -p "require(\'../package.json\').version")"'],
    'cflags!': ['-pthread', '-O3', '-fno-omit-frame-pointer', '-Wno-unused-parameter'],
    'ldflags!': ['-pthread', '-rdynamic'],
    'cflags': [
      '-std=gnu11',
      '-Wall',
      '-Wextra',
      '-Werror',
      '-Os',
      '-ffreestanding',
      '-fvisibility=hidden',
      '-ffunction-sections',
      '-fdata-sections',
      '-fomit-frame-pointer',
      # Or the compiler turns the loops of memcpy and strlen into calls of themselves.
      '-fno-tree-loop-distribute-patterns',
      # Nothing here unwinds, and there is no C library to provide a stack guard.
      '-fno-asynchronous-unwind-tables',
      '-fno-unwind-tables',
      '-fno-stack-protector',
      '-fno-stack-clash-protection',
      '-U_FORTIFY_SOURCE',
      # The same bytes wherever it is built.
      '-fno-ident',
      '-ffile-prefix-map=<(module_root_dir)=native',
    ],
    'ldflags': [
      '-nostdlib',
      '-Wl,--build-id=none',
      '-Wl,--gc-sections',
      '-Wl,--strip-all',
      '-Wl,-z,noexecstack',
      '-Wl,-z,relro',
      '-Wl,-z,now',
    ],
    'conditions': [
      ['target_arch=="x64"', {'cflags': ['-fcf-protection=none']}],
      ['target_arch=="arm64"', {'cflags': ['-mno-outline-atomics']}],
    ],
  },
  'targets': [
    {
      'target_name': 'pinfold',
      'type': 'loadable_module',
      'product_prefix': '',
      'product_extension': 'node',
      'sources': ['<!@(node sources.mjs base confine library)'],
      'cflags': ['-fPIC'],
      # nodelete: a filter or a listening thread may outlive a dlclose. defs: only weak references may stay open.
      # symbolic: its own calls stay inside, whatever else the process has loaded.
      'ldflags': ['-Wl,-z,nodelete', '-Wl,-z,defs', '-Wl,-Bsymbolic', '-Wl,--hash-style=gnu'],
    },
    {
      'target_name': 'pinfold-supervisor',
      'type': 'executable',
      'sources': ['<!@(node sources.mjs base confine supervisor)'],
      'cflags!': ['-fPIC'],
      'cflags': ['-fno-pic', '-fno-pie'],
      'ldflags': ['-static', '-no-pie'],
    },
  ],
}
