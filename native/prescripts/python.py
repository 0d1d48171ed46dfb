"""Pinfold's prescript for CPython 3.8 and newer: what a trusted interpreter does before untrusted code runs in it.

    EXECUTABLE python.py [MODULE...]

It imports the MODULEs, then is the zygote: pinfold.node (beside this file) forks it for every job. In each fork the
code arrives as bytes, the process is sealed, and the code runs as `python3 main.py` would run it. What untrusted code
does to the interpreter from then on is its own affair: nothing that is reported about a job comes from this process.
"""

import sys

# A script's own attributes, as this interpreter makes them: taken before anything is added.
MAIN_ATTRIBUTES = {name: value for name, value in globals().items() if name.startswith("__")}

import builtins
import os
import posix
import time
from _weakref import ref

BARE_MODULES = frozenset(sys.modules)

# These call from C, so that no frame of this file lies below what they call: see "Hiding" below.
from _functools import partial
from _operator import attrgetter, methodcaller

for name in frozenset(sys.modules) - BARE_MODULES:
    del sys.modules[name]

DIRECTORY = os.path.dirname(os.path.abspath(__file__))
CONTROL_DESCRIPTOR = 3
SCRIPT = "main.py"

ENDING_SECONDS = 1
EXIT_UNCAUGHT = 1
EXIT_USAGE = 2
EXIT_UNFLUSHED = 120
EXIT_INTERRUPTED = 130

MISSING = object()
Module = type(sys)
flush = methodcaller("flush")
audit = sys.audit
set_trace = sys.settrace
show_exception = sys.excepthook

# The interpreter reads PYTHON* variables at its start, which lies behind us: where a job is given one, it starts the
# interpreter anew. Not for these, which are read when they are needed (or set by hand below).
LATE_VARIABLES = frozenset(
    b"PYTHON" + name
    for name in (b"ASYNCIODEBUG", b"BREAKPOINT", b"DONTWRITEBYTECODE", b"STARTUP", b"_BASIC_REPL", b"_COLORS", b"_HISTORY")
)

# What the interpreter takes away at its end, before it takes the modules apart.
ENDED_ATTRIBUTES = ("path", "argv", "ps1", "ps2", "last_type", "last_value", "last_traceback", "path_hooks")
ENDED_ATTRIBUTES += ("path_importer_cache", "meta_path", "__interactivehook__")
if sys.version_info >= (3, 12):
    ENDED_ATTRIBUTES += ("last_exc",)

# How it names what it has to leave unraised.
UNFLUSHED = UNJOINED = None
if sys.version_info >= (3, 13):
    UNFLUSHED = "Exception ignored on flushing sys.stdout"
    UNJOINED = "Exception ignored on threading shutdown"
if sys.version_info >= (3, 14):
    UNFLUSHED = "Exception ignored while flushing sys.stdout"

# What a process does before it waits for its job: a page that is copied then isn't copied while a caller waits.
WARM_UP = b"""
class Warm:
    def __init__(self, value):
        self.value = value
    def __str__(self):
        return f'{self.value:>8}'
def warm(count):
    try:
        return {str(Warm(n)): [n * 2.5, (n, None)] for n in range(count)}
    finally:
        sorted('%d %s' % (n, 'x' * n) for n in range(count))
try:
    warm(64)['']
except KeyError as error:
    repr(error), error.__traceback__
print(end='')
"""
REHEARSED_TASK = b"".join(
    number.to_bytes(4, "little") + content
    for number, content in ((1, b""), (7, b"main.py"), (1, b""), (6, b"HOME=/"), (len(WARM_UP), WARM_UP))
)


# --- The zygote: everything before the fork ---------------------------------------------------------------------------


def main(preloads):
    sys.path.pop(0)
    sys.path_importer_cache.pop(__file__, None)
    preload(preloads)
    ctypes, gc, atexit, signal = import_unseen("ctypes", "gc", "atexit", "_signal")
    python = Interpreter(ctypes)
    python.gc, python.signal = gc, signal
    # Up to 3.9 the functions to run at exit belong to the module that a program imports, from 3.10 to the interpreter.
    python.run_exit_functions = atexit._run_exitfuncs if sys.version_info >= (3, 10) else None
    python.conceal()
    os.environ.clear()
    sys.stdout.flush()
    sys.stderr.flush()
    # What is left alive here is never looked at again by a job's collections, nor its pages copied by them.
    python.module_names = frozenset(sys.modules)
    python.kept = [*sys.modules.values(), *(getattr(sys, name, None) for name in ENDED_ATTRIBUTES)]
    gc.collect()
    gc.freeze()
    python.collapse()
    serve(python)


def preload(names):
    """A fork copies one thread only: a module that starts others (a thread pool, a busy BLAS) can't be preloaded."""
    threads = count_threads()
    for name in names:
        try:
            __import__(name)
        except BaseException as error:
            refuse(f"can't preload {name!r}: {type(error).__name__}: {error}")
        before, threads = threads, count_remaining_threads(threads)
        if threads > before:
            refuse(f"can't preload {name!r}: its import starts {threads - before} thread(s), which no job would have")


def count_remaining_threads(before):
    """A thread that has been told to end, such as the timer of a slow cache, may take a moment to."""
    deadline = time.monotonic() + ENDING_SECONDS
    while count_threads() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    return count_threads()


def count_threads():
    return len(os.listdir("/proc/self/task"))


def refuse(message):
    print(f"pinfold: {message}", file=sys.stderr)
    sys.exit(EXIT_USAGE)


def import_unseen(*names):
    """Modules for the prescript alone: a job finds in sys.modules what a bare start leaves there, and the preloads."""
    present, searched = frozenset(sys.modules), frozenset(sys.path_importer_cache)
    if sys.version_info < (3, 10) and "atexit" not in present:
        # There, a second instance of this module would take the place of the first: see run_exit_functions.
        names = tuple(name if name != "atexit" else "_signal" for name in names)
    modules = [__import__(name) for name in names]
    for name in frozenset(sys.modules) - present:
        del sys.modules[name]
    for path in frozenset(sys.path_importer_cache) - searched:
        del sys.path_importer_cache[path]
    return modules


class Interpreter:
    """The C functions in reach: pinfold.node's, the interpreter's own and the C library's."""

    module_names = gc = signal = run_exit_functions = None
    # What would be ended with the interpreter, but is not: that would copy every page that it is on, to show nothing.
    kept = ()

    def __init__(self, ctypes):
        # Each call keeps the interpreter's lock: the process forks inside them.
        library, python, c = ctypes.PyDLL(f"{DIRECTORY}/pinfold.node"), ctypes.pythonapi, ctypes.PyDLL(None)
        self.pointer, self.int = pointer, number = ctypes.c_void_p, ctypes.c_int
        text, size, thing = ctypes.c_char_p, ctypes.c_size_t, ctypes.py_object
        self.length = size()
        self.length_out = ctypes.byref(self.length)
        self.zygote = declare(library.pinfold_zygote, number, number)
        self.is_awaited = declare(library.pinfold_is_awaited, number)
        self.collapse = declare(library.pinfold_collapse, None)
        self.init = declare(library.pinfold_init, number, number)
        self.receive = declare(library.pinfold_receive, pointer, ctypes.POINTER(size))
        self.seal = declare(library.pinfold_seal, number)
        self.memory = declare(python.PyMemoryView_FromMemory, thing, pointer, ctypes.c_ssize_t, number)
        # What the launcher itself runs a script with: tokens, errors and compiler flags are its own.
        self.run_file = declare(python.PyRun_FileExFlags, thing, pointer, text, number, thing, thing, number, pointer)
        self.new_record = declare(python.PyStructSequence_New, thing, thing)
        self.set_field = declare(python.PyStructSequence_SetItem, None, thing, ctypes.c_ssize_t, thing)
        self.address_of = declare(python.PyBytes_AsString, pointer, thing)
        self.keep = declare(python.Py_IncRef, None, thing)
        self.thread_state = declare(python.PyThreadState_Get, pointer)
        self.open = declare(c.fopen, pointer, text, text)
        self.open_memory = declare(c.fmemopen, pointer, text, size, text)
        self.flush_c = declare(c.fflush, number, pointer)
        self.record_type = unraisable_type()
        self.frame_words = self.depth_word = None
        self.depth_at_call = 0

    def unraisable(self, *fields):
        """The argument of sys.unraisablehook, whose type has no public name and can't be called."""
        record = self.new_record(self.record_type)
        for index, field in enumerate(fields):
            self.keep(field)
            self.set_field(record, index, field)
        return record

    def conceal(self):
        """Learns to hide this file's frames from the code that it calls, where that can be shown to work."""
        frame_words = find_frame_words(self)
        depth_word = find_depth_word(self, frame_words)
        if depth_word is None or not works_in_a_fork(self, frame_words, depth_word):
            return
        self.frame_words, self.depth_word = frame_words, depth_word
        self.depth_at_call = find_depth_at_call(self)

    def current_frame(self):
        """The word that holds the current frame: to be asked for in the C call that empties it."""
        if self.frame_words is None:
            return self.pointer()
        outer, inner = self.frame_words
        address = self.thread_state() + outer
        if inner is not None:
            address = self.pointer.from_address(address).value + inner
        return self.pointer.from_address(address)

    def depth(self):
        return self.int() if self.depth_word is None else self.int.from_address(self.thread_state() + self.depth_word)


def unraisable_type():
    class Unraisable:
        def __del__(self):
            raise RuntimeError

    types = []
    hook, sys.unraisablehook = sys.unraisablehook, lambda record: types.append(type(record))
    Unraisable()
    sys.unraisablehook = hook
    return types[0]


FILE_INPUT = 257  # Py_file_input
CLOSE = 1
READ_ONLY = 0x100  # PyBUF_READ


def declare(function, result, *arguments):
    function.restype, function.argtypes = result, arguments
    return function


# --- Hiding the prescript's frames ------------------------------------------------------------------------------------
#
# A script's module frame is the last of its stack. Here frames of this file lie below it, so the word in which the
# thread state keeps the current frame is emptied before untrusted code is called, always from C: every new thread
# begins with that very word empty. Where the word lies differs by version, so it is looked for by its known content,
# twice, and tried out in a process that may crash. If any of that fails, the frames stay to be seen; they hold nothing.

THREAD_STATE_BYTES = 160 if sys.version_info < (3, 13) else 384
DEEPEST_START = 32
# Debug builds assert that the word is not empty; a free-threaded build's collector looks for references in the frames.
IS_KNOWN_BUILD = (
    sys.implementation.name == "cpython"
    and sys.version_info < (3, 15)
    and not hasattr(sys, "gettotalrefcount")
    and getattr(sys, "_is_gil_enabled", lambda: True)()
    and "t" not in sys.abiflags
)


def find_frame_words(python):
    """(offset in the thread state, None or the offset in what lies there), or None."""
    if not IS_KNOWN_BUILD:
        return None
    stack = stack_range() if (3, 11) <= sys.version_info < (3, 13) else range(0)
    found = places_of_own_frame(python, stack) & places_one_frame_deeper(python, stack)
    return found.pop() if len(found) == 1 else None


def places_of_own_frame(python, stack):
    word = python.pointer.from_address
    frame = sys._getframe()
    # The thread state points at the frame object, from 3.11 on at the part of it that its fourth word points to.
    address = id(frame) if sys.version_info < (3, 11) else word(id(frame) + 24).value
    state = python.thread_state()
    places = set()
    for offset in range(0, THREAD_STATE_BYTES, 8):
        value = word(state + offset).value
        if value == address:
            places.add((offset, None))
        elif value is not None and value in stack and value + 16 in stack:
            # 3.11 and 3.12 keep it in a structure on the C stack.
            for inner in (0, 8):
                if word(value + inner).value == address:
                    places.add((offset, inner))
    return places


def places_one_frame_deeper(python, stack):
    return places_of_own_frame(python, stack)


def stack_range():
    with open("/proc/self/maps") as maps:
        for line in maps:
            if line.endswith("[stack]\n"):
                low, high = line.split(" ", 1)[0].split("-")
                return range(int(low, 16), int(high, 16))
    return range(0)


def find_depth_word(python, frame_words):
    """The offset of the int in the thread state that counts calls (up to 3.10) or calls left, or None."""
    if frame_words is None:
        return None
    if sys.version_info < (3, 11):
        offset = frame_words[0] + 8
        word = python.int.from_address(python.thread_state() + offset)
        return offset if 0 < word.value < DEEPEST_START and one_call_deeper(word) == word.value + 1 else None
    limit = sys.getrecursionlimit()
    found = calls_left_at_limit(python, 20_011) & calls_left_at_limit(python, 30_013)
    sys.setrecursionlimit(limit)
    return found.pop() if len(found) == 1 else None


def one_call_deeper(word):
    return word.value


def calls_left_at_limit(python, limit):
    sys.setrecursionlimit(limit)
    state, word = python.thread_state(), python.int.from_address
    places = set()
    for offset in range(4, THREAD_STATE_BYTES, 4):
        if word(state + offset).value == limit and 0 < limit - word(state + offset - 4).value < DEEPEST_START:
            places.add(offset - 4)
    return places


def find_depth_at_call(python):
    """What the depth has to be when untrusted code is called, so that it starts as deep as a bare script."""
    depth = python.depth()
    seen = {"depth": depth}
    here = depth.value
    python.run_file(open_code(python, b"inside = depth.value"), b"", FILE_INPUT, seen, seen, CLOSE, None)
    at_start = 1 if sys.version_info < (3, 11) else sys.getrecursionlimit() - 1
    return at_start - (seen["inside"] - here)


def works_in_a_fork(python, frame_words, depth_word):
    child = os.fork()
    if child == 0:
        try:
            python.frame_words, python.depth_word = frame_words, depth_word
            os._exit(0 if is_concealed(python) else 1)
        finally:
            os._exit(1)
    return os.waitpid(child, 0)[1] == 0


TRIAL = b"""
import sys
def descend(depth):
    return 1 + descend(depth + 1)
def count():
    yield sys._getframe().f_back.f_back
try:
    descend(0)
except RecursionError as error:
    bottom = error.__traceback__.tb_frame.f_back
behind = [sys._getframe().f_back, bottom, next(count()), sys.exc_info()[1]]
"""


def is_concealed(python):
    stream, seen, word = open_code(python, TRIAL), {}, python.current_frame()
    own = word.value
    word.value = None
    python.run_file(stream, b"", FILE_INPUT, seen, seen, CLOSE, None)
    word.value = own
    return seen["behind"] == [None] * 4 and sys._getframe().f_code is is_concealed.__code__


def open_code(python, code):
    return python.open_memory(code, len(code), b"r")


# --- A job -------------------------------------------------------------------------------------------------------------


def serve(python):
    if python.zygote(CONTROL_DESCRIPTOR) != 0:
        os._exit(EXIT_USAGE)
    # This process is the first of its process namespace; the job is its only child, made by the interpreter's own
    # fork so that its hooks run.
    job = os.fork()
    if job != 0:
        os._exit(python.init(job))
    reseed()
    if not python.is_awaited():
        rehearse(python)
    run_job(python)


def reseed():
    """What every job would otherwise find as the zygote left it. Of `random` the interpreter takes care itself."""
    modules = sys.modules
    if "numpy.random" in modules:
        modules["numpy.random"].seed()
    if "uuid" in modules:
        modules["uuid"]._node = modules["uuid"]._last_timestamp = None
    if "tempfile" in modules:
        modules["tempfile"]._name_sequence = None


def rehearse(python):
    """Does what a job does, on nothing: each page that is copied here isn't copied while a caller waits."""
    slot = python.current_frame()
    task = python.memory(python.address_of(REHEARSED_TASK), len(REHEARSED_TASK), READ_ONLY)
    arguments, variables, code = read_task(task)
    directory = os.getcwd()
    path = os.path.join(directory, SCRIPT)
    store(os.devnull, code)
    set_up(directory, arguments, variables)
    needs_a_start(variables)
    module = make_main(path)
    for stream in (python.open(os.fsencode(os.devnull), b"rbe"), open_code(python, bytes(code))):
        python.run_file(stream, b"", FILE_INPUT, module.__dict__, module.__dict__, CLOSE, None)
    ending = Ending(python, slot, None)
    ending.leave_main(None, module.__dict__, True)
    ending.flush_streams()
    take_names(python, dict(sys.modules))
    for names in private_names_first(module.__dict__):
        ending.call(module.__dict__.update, names)
    sys.path.pop(0)
    sys.path_importer_cache.popitem()
    code.release()
    task.release()
    os.environ.clear()
    del module
    ending.call(python.gc.collect)


def run_job(python):
    """Never returns. From `run_file` on, whatever is called may be untrusted, and is called from C alone."""
    slot, depth = python.current_frame(), python.depth()
    directory = os.getcwd()
    path = os.path.join(directory, SCRIPT)
    address = python.receive(python.length_out)
    if not address:
        os._exit(EXIT_USAGE)
    task = python.memory(address, python.length.value, READ_ONLY)
    arguments, variables, code = read_task(task)
    stored = store(path, code)
    source = None if stored else bytes(code)
    set_up(directory, arguments, variables)
    module = make_main(path)
    namespace = module.__dict__
    sys.modules["__main__"] = module
    # The seal unmaps the task.
    code.release()
    task.release()
    if python.seal() != 0:
        os._exit(EXIT_USAGE)
    if stored and needs_a_start(variables):
        start_anew(arguments, variables)
    name = os.fsencode(namespace["__file__"])
    if not stored:
        remember_lines(namespace["__file__"], source)
    stream = python.open(name, b"rbe") if stored else open_code(python, source)
    error = None
    depth.value = python.depth_at_call
    slot.value = None
    try:
        python.run_file(stream, name, FILE_INPUT, namespace, namespace, CLOSE, None)
    except BaseException as raised:
        error = raised
    trace = sys.gettrace()
    set_trace(None)
    sys.setprofile(None)
    ending = Ending(python, slot, trace)
    status = ending.leave_main(error, namespace, stored)
    interrupted = type(error) is KeyboardInterrupt
    error = module = namespace = None
    if not ending.finish():
        status = EXIT_UNFLUSHED
    python.flush_c(None)
    if interrupted:
        die_interrupted(python)
    os._exit(status)


def read_task(task):
    """list<string> argv, list<string> env, bytes code: see docs/protocol.md."""
    at = 0

    def number():
        nonlocal at
        at += 4
        return int.from_bytes(task[at - 4 : at], "little")

    def item():
        nonlocal at
        length = number()
        at += length
        return task[at - length : at]

    arguments = [os.fsdecode(bytes(item())) for _ in range(number())]
    variables = [bytes(item()).partition(b"=") for _ in range(number())]
    return arguments, variables, item()


def store(path, code):
    """Gives tracebacks, inspect and multiprocessing their file. The scratch may be too small for it."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    except OSError:
        return False
    try:
        while len(code):
            code = code[os.write(descriptor, code) :]
        return True
    except OSError:
        os.unlink(path)
        return False
    finally:
        os.close(descriptor)


def remember_lines(path, source):
    import linecache

    text = source.decode("utf-8", "replace")
    linecache.cache[path] = (len(source), None, text.splitlines(True), path)


def set_up(directory, arguments, variables):
    sys.argv = arguments
    if sys.version_info >= (3, 10):
        sys.orig_argv = [sys.executable, *arguments]
    sys.path.insert(0, directory)
    data = os.environ._data
    for name, _, value in variables:
        posix.putenv(name, value)
        data[name] = value
        if name == b"TZ":
            time.tzset()
        elif name == b"PYTHONDONTWRITEBYTECODE" and value:
            sys.dont_write_bytecode = True


def make_main(path):
    """The module of a script as the launcher makes it, with the attributes in its order."""
    # The path of a script became absolute in 3.9.
    shown = path if sys.version_info >= (3, 9) else SCRIPT
    module = Module("__main__")
    attributes = module.__dict__
    attributes.update(MAIN_ATTRIBUTES)
    attributes["__doc__"] = None
    attributes["__file__"] = shown
    attributes["__loader__"] = type(__loader__)("__main__", shown)
    if "__annotations__" in attributes:
        attributes["__annotations__"] = {}
    sys.path_importer_cache[shown] = None
    return module


def needs_a_start(variables):
    for name, _, value in variables:
        if value and name.startswith(b"PYTHON") and name not in LATE_VARIABLES:
            return True
    return False


def start_anew(arguments, variables):
    os.execve(sys.executable, [sys.executable, *arguments], {name: value for name, _, value in variables})


# --- The end of a job, as the interpreter ends ------------------------------------------------------------------------


class Ending:
    """What can be seen of the launcher's and the interpreter's end, whose own way through it takes too long."""

    def __init__(self, python, slot, trace):
        self.python = python
        self.slot = slot
        self.trace = trace

    def call(self, function, *arguments):
        """The one way back to what may be untrusted: from C. Gives (result, None), or (None, what was raised)."""
        called = partial(function, *arguments)
        self.slot.value = None
        try:
            if self.trace is not None:
                set_trace(self.trace)
            return called(), None
        except BaseException as error:
            set_trace(None)
            return None, without_first_frame(error)
        finally:
            set_trace(None)

    def leave_main(self, error, namespace, stored):
        """From the end of the script's module to that of the launcher's work. Gives the exit status."""
        for name in ("stderr", "stdout"):
            self.call(flush, getattr(sys, name, None))
        if isinstance(error, SystemExit):
            return self.system_exit_status(error)
        status = 0 if error is None else self.report(without_first_frame(error), stored)
        namespace.pop("__file__", None)
        namespace.pop("__cached__", None)
        return status

    def system_exit_status(self, error):
        value, failure = self.call(attrgetter("code"), error)
        if failure is not None:
            value = error
        if value is None:
            return 0
        if isinstance(value, int):
            value = int.__index__(value)
            # The launcher takes it for a C long, then an int, of which the kernel keeps eight bits.
            return value & 0xFF if -(2**63) <= value < 2**63 else 0xFF
        self.say(value)
        self.say("\n")
        return EXIT_UNCAUGHT

    def say(self, value):
        text, failure = self.call(str, value)
        if failure is not None:
            return
        stream = getattr(sys, "stderr", None)
        if stream is not None:
            self.call(methodcaller("write", text), stream)
        else:
            os.write(2, os.fsencode(text))

    def report(self, error, stored):
        """Hands an uncaught exception to sys.excepthook. Gives the exit status."""
        kind, trace = type(error), traceback_of(error)
        if sys.version_info >= (3, 12):
            sys.last_exc = error
        sys.last_type, sys.last_value, sys.last_traceback = kind, error, trace
        hook = getattr(sys, "excepthook", MISSING)
        _, refusal = self.call(audit, "sys.excepthook", None if hook is MISSING else hook, kind, error, trace)
        if isinstance(refusal, RuntimeError):
            return EXIT_UNCAUGHT
        if hook is MISSING:
            self.say("sys.excepthook is missing\n")
            self.call(show_exception, kind, error, trace)
            return EXIT_UNCAUGHT
        if hook is show_exception and not stored:
            from traceback import print_exception as hook
        if callable(hook):
            _, second = self.call(hook, kind, error, trace)
        else:
            second = TypeError(f"{type(hook).__name__!r} object is not callable")
        if isinstance(second, SystemExit):
            return self.system_exit_status(second)
        if second is not None:
            self.say("Error in sys.excepthook:\n")
            self.call(show_exception, type(second), second, traceback_of(second))
            self.say("\nOriginal exception was:\n")
            self.call(show_exception, kind, error, trace)
        return EXIT_UNCAUGHT

    def finish(self):
        """The interpreter's end. False where output could not be flushed."""
        self.join_threads()
        self.run_exit_functions()
        flushed = self.flush_streams()
        if self.python.gc.isenabled():
            self.call(self.python.gc.collect)
        self.take_apart()
        return flushed

    def join_threads(self):
        threading = sys.modules.get("threading")
        if threading is not None:
            _, error = self.call(methodcaller("_shutdown"), threading)
            if error is not None:
                self.leave_unraised(error, UNJOINED, None if UNJOINED else threading)

    def run_exit_functions(self):
        run = self.python.run_exit_functions or getattr(sys.modules.get("atexit"), "_run_exitfuncs", None)
        if run is not None:
            # What is raised there has been shown, though up to 3.9 the last of it comes back.
            self.call(run)

    def flush_streams(self):
        flushed = True
        for name in ("stdout", "stderr"):
            stream = getattr(sys, name, None)
            if stream is None or self.call(attrgetter("closed"), stream)[0]:
                continue
            _, error = self.call(flush, stream)
            if error is not None:
                flushed = False
                if name == "stdout":
                    self.leave_unraised(error, UNFLUSHED, None if UNFLUSHED else stream)
        return flushed

    def leave_unraised(self, error, message, where):
        hook = getattr(sys, "unraisablehook", None)
        if hook is not None:
            self.call(hook, self.python.unraisable(type(error), error, traceback_of(error), message, where))

    def take_apart(self):
        """Ends the program's objects in the interpreter's order, so that files are flushed and __del__ runs.

        The zygote's modules are taken out of sys.modules as well, but live on: see `kept`.
        """
        for name in ENDED_ATTRIBUTES:
            setattr(sys, name, None)
        for name in ("stdin", "stdout", "stderr"):
            self.call(setattr, sys, name, getattr(sys, f"__{name}__", None))
        builtins._ = None
        modules = sys.modules
        endings = take_names(self.python, modules)
        self.call(modules.clear)
        self.call(self.python.gc.collect)
        for reference in endings:
            module = reference()
            if module is not None:
                for names in private_names_first(module.__dict__):
                    self.call(module.__dict__.update, names)
            module = None
        self.call(self.python.gc.collect)
        for stream in (sys.__stdout__, sys.__stderr__):
            self.call(flush, stream)


def take_names(python, modules):
    """Weak references to the modules that came after the zygote's, the last first, and to __main__."""
    names = []
    for name in reversed(modules):
        if name in python.module_names:
            break
        names.append(name)
    names.append("__main__")
    return [ref(modules[name]) for name in names if isinstance(modules.get(name), Module)]


def private_names_first(namespace):
    """What a module's names are set to, in two goes: first those with one underscore, the builtins never."""
    names = [name for name in namespace if isinstance(name, str) and name != "__builtins__"]
    private = [name for name in names if name[:1] == "_" != name[1:2]]
    return dict.fromkeys(private), dict.fromkeys(names)


def traceback_of(error):
    # Not by attribute: a program's exception class may have its own idea of that.
    return BaseException.__traceback__.__get__(error)


def without_first_frame(error):
    """The first frame of the traceback is of this file."""
    trace = traceback_of(error)
    return error if trace is None else BaseException.with_traceback(error, trace.tb_next)


def die_interrupted(python):
    """As the launcher does, for whoever waits to see what ended it."""
    python.signal.signal(python.signal.SIGINT, python.signal.SIG_DFL)
    os.kill(os.getpid(), python.signal.SIGINT)
    os._exit(EXIT_INTERRUPTED)


main(sys.argv[1:])
