/* NativeLibrary of _abc.py. */

#include "py_face.h"

#include <stdlib.h>

typedef struct {
    PyObject_HEAD
    PyObject *path; /* a str, hence no cycle */
} Library;

static void library_dealloc(PyObject *self) {
    Py_XDECREF(((Library *)self)->path);
    free_instance(self);
}

static PyObject *library_get_name(PyObject *self, void *closure) {
    (void)self, (void)closure;
    return PyUnicode_FromString("bridge");
}

static PyObject *library_get_path(PyObject *self, void *closure) {
    (void)closure;
    PyObject *path = ((Library *)self)->path;
    Py_INCREF(path);
    return path;
}

static PyObject *library_get_wakes_by(PyObject *self, void *closure) {
    (void)self, (void)closure;
    return PyUnicode_FromString("descriptor");
}

static PyObject *library_request_method(PyObject *self, PyObject *message) {
    Py_buffer view;
    if (refuse_after_fork(self) || PyObject_GetBuffer(message, &view, PyBUF_SIMPLE) < 0) {
        return NULL;
    }
    const uint8_t *response;
    size_t response_size;
    uint64_t handle;
    Py_BEGIN_ALLOW_THREADS
    handle = core_request(view.buf, (size_t)view.len, &response, &response_size);
    Py_END_ALLOW_THREADS
    PyBuffer_Release(&view);
    if (!handle) {
        PyErr_SetNone(state_of(self)->refusal_error);
        return NULL;
    }
    PyObject *result = PyBytes_FromStringAndSize((const char *)response, (Py_ssize_t)response_size);
    Py_BEGIN_ALLOW_THREADS
    core_drop(handle);
    Py_END_ALLOW_THREADS
    return result;
}

static PyObject *library_drop_method(PyObject *self, PyObject *argument) {
    (void)self;
    uint64_t handle;
    if (!key_argument(argument, &handle)) {
        return NULL;
    }
    bool dropped;
    Py_BEGIN_ALLOW_THREADS
    dropped = core_drop(handle);
    Py_END_ALLOW_THREADS
    return PyBool_FromLong(dropped);
}

static PyObject *library_buffer_method(PyObject *self, PyObject *args) {
    unsigned long long handle, address;
    Py_ssize_t length;
    if (!PyArg_ParseTuple(args, "KKn:buffer", &handle, &address, &length)) {
        return NULL;
    }
    if (length < 0 || (length && !address)) {
        PyErr_SetString(PyExc_ValueError, "no such memory");
        return NULL;
    }
    return buffer_new(state_of(self), handle, (void *)(uintptr_t)address, length);
}

static PyObject *library_open_inbox_method(PyObject *self, PyObject *args) {
    long long read_fd, write_fd;
    PyObject *poke = Py_None;
    if (!PyArg_ParseTuple(args, "LL|O:open_inbox", &read_fd, &write_fd, &poke) || refuse_after_fork(self)) {
        return NULL;
    }
    if (read_fd < 0 || write_fd < 0 || poke != Py_None) {
        PyErr_SetString(PyExc_ValueError, "the bridge wakes by descriptor: it needs two, and calls nothing");
        return NULL;
    }
    return inbox_new(state_of(self), (descriptor_t)read_fd, (descriptor_t)write_fd);
}

static PyObject *library_set_log_level_method(PyObject *self, PyObject *argument) {
    (void)self;
    long level = PyLong_AsLong(argument);
    if (level == -1 && PyErr_Occurred()) {
        return NULL;
    }
    core_set_log_level(level < 0 ? 0 : (uint32_t)level);
    Py_RETURN_NONE;
}

static PyObject *library_take_logs_method(PyObject *self, PyObject *unused) {
    (void)self, (void)unused;
    size_t count = 0;
    struct record *record = core_disowned() ? NULL : core_take_logs(&count);
    PyObject *list = PyList_New((Py_ssize_t)count);
    for (Py_ssize_t i = 0; record; i++) {
        struct record *next = record->next;
        PyObject *data = list ? PyBytes_FromStringAndSize((const char *)record->data, (Py_ssize_t)record->size) : NULL;
        if (data) {
            PyList_SetItem(list, i, data);
        } else {
            Py_CLEAR(list);
        }
        free(record);
        record = next;
    }
    return list;
}

static PyObject *library_statistics_method(PyObject *self, PyObject *unused) {
    static const char *const names[COUNTERS] = {
        [CALLBACKS] = "callbacks",
        [CALLBACK_MAX_NS] = "callback_max_ns",
        [DROPPED_UNROUTED] = "dropped_unrouted",
        [DROPPED_ABANDONED] = "dropped_abandoned",
        [DROPPED_RAW] = "dropped_raw",
        [DROPPED_FRAMES] = "dropped_frames",
        [DROPPED_LOGS] = "dropped_logs",
        [UNDONE_JOINS] = "undone_joins",
        [MALFORMED] = "malformed",
    };
    (void)self, (void)unused;
    uint64_t counters[COUNTERS];
    core_statistics(counters);
    PyObject *result = PyDict_New();
    for (int i = 0; result && i < COUNTERS; i++) {
        PyObject *value = PyLong_FromUnsignedLongLong(counters[i]);
        if (!value || PyDict_SetItemString(result, names[i], value) < 0) {
            Py_CLEAR(result);
        }
        Py_XDECREF(value);
    }
    return result;
}

static PyObject *library_silence_method(PyObject *self, PyObject *unused) {
    (void)self, (void)unused;
    core_silence();
    Py_RETURN_NONE;
}

static PyObject *library_disown_method(PyObject *self, PyObject *unused) {
    (void)self, (void)unused;
    core_disown();
    Py_RETURN_NONE;
}

static PyMethodDef library_methods[] = {
    {"request", library_request_method, METH_O, "Send a serialised FfiRequest and return the serialised FfiResponse."},
    {"drop", library_drop_method, METH_O, "Drop a native handle."},
    {"buffer", library_buffer_method, METH_VARARGS, "Native memory as a buffer that owns its handle."},
    {"open_inbox", library_open_inbox_method, METH_VARARGS, "A new inbox, which owns the descriptors from here on."},
    {"set_log_level", library_set_log_level_method, METH_O, "Keep records of this level and graver."},
    {"take_logs", library_take_logs_method, METH_NOARGS, "The records kept since the last call."},
    {"statistics", library_statistics_method, METH_NOARGS, "Counters of the process."},
    {"silence", library_silence_method, METH_NOARGS, "Every callback returns at once from now on."},
    {"disown", library_disown_method, METH_NOARGS, "In a forked child: do nothing any more."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef library_getset[] = {
    {"name", library_get_name, NULL, "bridge", NULL},
    {"path", library_get_path, NULL, "The native library's file.", NULL},
    {"wakes_by", library_get_wakes_by, NULL, "descriptor", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot library_slots[] = {
    {Py_tp_doc, "A loaded and initialised liblivekit_ffi."},
    {Py_tp_dealloc, library_dealloc},
    {Py_tp_methods, library_methods},
    {Py_tp_getset, library_getset},
    {0, NULL},
};

PyType_Spec library_spec = {
    .name = "livekit_trio._ffi._bridge.Library",
    .basicsize = sizeof(Library),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = library_slots,
};

PyObject *library_new(struct state *state, PyObject *path) {
    Library *self = (Library *)allocate(state->library_type);
    if (self) {
        Py_INCREF(path);
        self->path = path;
    }
    return (PyObject *)self;
}
