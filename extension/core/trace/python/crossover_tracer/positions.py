"""Source positions: which frames belong to the user's files, and the exact range each one is executing."""

import sys

# {virtual path: text}; frames of any other file are ours or the standard library's.
user_files = {}
_ranges = {}


def reset(sources):
    """Forgets all positions and takes the virtual files of a new trace."""
    user_files.clear()
    user_files.update(sources)
    _ranges.clear()


def basename(path):
    return path.rsplit("/", 1)[-1]


def user_frames(frame):
    """Key of the user's call chain from `frame` outwards: ((code id, instruction), ...) flattened, and the frames."""
    key = []
    while frame is not None:
        code = frame.f_code
        if code.co_filename in user_files:
            key.append(code)
            key.append(frame.f_lasti)
        frame = frame.f_back
    return key


def range_of(code, instruction):
    """(file, line, column, end line, end column, qualified name); columns in UTF-16 units, lines from 1."""
    key = id(code)
    entry = _ranges.get(key)
    if entry is None:
        # The code object is kept so that its id stays its own.
        entry = _ranges[key] = (list(code.co_positions()), code, {})
    cached = entry[2].get(instruction)
    if cached is not None:
        return cached
    table = entry[0]
    index = instruction // 2
    line, end_line, column, end_column = table[index] if 0 <= index < len(table) else (None, None, None, None)
    file = code.co_filename
    line = line or code.co_firstlineno
    end_line = max(end_line or line, line)
    column = _utf16(file, line, column or 0)
    end_column = _utf16(file, end_line, end_column or 0)
    if end_line == line:
        end_column = max(end_column, column)
    result = (file, line, column, end_line, end_column, code.co_qualname.replace(".<locals>", ""))
    entry[2][instruction] = result
    return result


def _utf16(file, line, byte_column):
    """Column in UTF-16 units of a column CPython counts in UTF-8 bytes."""
    if byte_column == 0:
        return 0
    lines = _lines(file)
    text = lines[line - 1] if 0 < line <= len(lines) else ""
    if text.isascii():
        return byte_column
    prefix = text.encode("utf-8", "surrogatepass")[:byte_column].decode("utf-8", "ignore")
    return len(prefix.encode("utf-16-le", "surrogatepass")) // 2


_split = {}


def _lines(file):
    text = user_files.get(file, "")
    cached = _split.get(file)
    if cached is None or cached[0] is not text:
        cached = _split[file] = (text, text.splitlines())
    return cached[1]


def innermost(traceback):
    """(file, line, function) of the last user frame of a traceback, or three None."""
    found = (None, None, None)
    while traceback is not None:
        code = traceback.tb_frame.f_code
        if code.co_filename in user_files:
            found = (code.co_filename, traceback.tb_lineno, code.co_qualname.replace(".<locals>", ""))
            if found[2] == "<module>":
                found = (found[0], found[1], None)
        traceback = traceback.tb_next
    return found


def caller_line():
    """(file, line) of the innermost user frame that is executing, or two None."""
    frame = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_filename in user_files:
            return frame.f_code.co_filename, frame.f_lineno
        frame = frame.f_back
    return None, None
