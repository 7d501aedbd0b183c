/* The Python face of the bridge: livekit_trio._ffi._bridge, under the Limited API, as livekit_trio/_ffi/_abc.py asks for it.
 *
 * The Python objects hold one reference to what they stand for in the core, and no Python object; so there is no cycle that the
 * garbage collector would have to see. They may die on any thread. The GIL is released around whatever calls the library.
 * After a fork the child's objects do nothing: see core_disowned() in core.c.
 */

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "core.h"

#include <stdlib.h>

struct state {
    PyTypeObject *library_type;
    PyTypeObject *inbox_type;
    PyTypeObject *ring_type;
    PyTypeObject *buffer_type;
    PyObject *ring_statistics;  /* the classes of _abc.py and _errors.py */
    PyObject *default_limits;
    PyObject *refusal_error;
    PyObject *fork_error;
};

static struct state *state_of(PyObject *self) { return PyType_GetModuleState(Py_TYPE(self)); }

static bool refuse_after_fork(PyObject *self) {
    if (core_disowned()) {
        PyErr_SetNone(state_of(self)->fork_error);
        return true;
    }
    return false;
}

static void free_instance(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    release(self);
    Py_DECREF(type);
}

/* A new instance of one of our types, all zeros behind its head. */
static PyObject *allocate(PyTypeObject *type) {
    allocfunc make = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    return make(type, 0);
}

/* Buffer */

typedef struct {
    PyObject_HEAD
    uint64_t handle;
    void *address;
    Py_ssize_t length;
} Buffer;

static void buffer_dealloc(PyObject *self) {
    uint64_t handle = ((Buffer *)self)->handle;
    if (handle) {
        Py_BEGIN_ALLOW_THREADS
        core_drop(handle);
        Py_END_ALLOW_THREADS
    }
    free_instance(self);
}

static int buffer_get(PyObject *self, Py_buffer *view, int flags) {
    Buffer *buffer = (Buffer *)self;
    static uint8_t nothing;
    return PyBuffer_FillInfo(view, self, buffer->address ? buffer->address : &nothing, buffer->length, 1, flags);
}

static Py_ssize_t buffer_length(PyObject *self) { return ((Buffer *)self)->length; }

static PyType_Slot buffer_slots[] = {
    {Py_tp_doc, "Native memory as a read-only buffer that owns a handle."},
    {Py_tp_dealloc, buffer_dealloc},
    {Py_bf_getbuffer, buffer_get},
    {Py_sq_length, buffer_length},
    {0, NULL},
};

static PyType_Spec buffer_spec = {
    .name = "livekit_trio._ffi._bridge.Buffer",
    .basicsize = sizeof(Buffer),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = buffer_slots,
};

/* Ring */

typedef struct {
    PyObject_HEAD
    struct ring *ring;
} Ring;

static void close_ring(struct ring *ring) {
    if (!core_disowned()) {
        Py_BEGIN_ALLOW_THREADS
        ring_close(ring);
        Py_END_ALLOW_THREADS
    }
}

static void ring_dealloc(PyObject *self) {
    struct ring *ring = ((Ring *)self)->ring;
    if (ring && !core_disowned()) {
        close_ring(ring);
        ring_release(ring);
    }
    free_instance(self);
}

static PyObject *ring_get_key(PyObject *self, void *closure) {
    (void)closure;
    return PyLong_FromUnsignedLongLong(ring_key(((Ring *)self)->ring));
}

static PyObject *ring_take_method(PyObject *self, PyObject *unused) {
    (void)unused;
    struct event *frame = core_disowned() ? NULL : ring_take(((Ring *)self)->ring);
    if (!frame) {
        Py_RETURN_NONE;
    }
    frame->next = NULL;
    PyObject *result = Py_BuildValue("(LKy#)", (long long)frame->stamp, (unsigned long long)frame->lost, (char *)frame->payload,
                                     (Py_ssize_t)frame->size);
    if (result) {
        events_free(frame);
    } else {
        Py_BEGIN_ALLOW_THREADS
        events_dispose(frame);
        Py_END_ALLOW_THREADS
    }
    return result;
}

static PyObject *ring_close_method(PyObject *self, PyObject *unused) {
    (void)unused;
    close_ring(((Ring *)self)->ring);
    Py_RETURN_NONE;
}

static PyObject *ring_statistics_method(PyObject *self, PyObject *unused) {
    (void)unused;
    struct ring_statistics statistics = {0};
    if (!core_disowned()) {
        ring_statistics(((Ring *)self)->ring, &statistics);
    }
    return PyObject_CallFunction(state_of(self)->ring_statistics, "KKK", (unsigned long long)statistics.received,
                                 (unsigned long long)statistics.dropped, (unsigned long long)statistics.buffered);
}

static PyMethodDef ring_methods[] = {
    {"take", ring_take_method, METH_NOARGS, "The oldest event, or None."},
    {"close", ring_close_method, METH_NOARGS, "Drop what is buffered and everything that still comes."},
    {"statistics", ring_statistics_method, METH_NOARGS, "What came, went and is there."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef ring_getset[] = {
    {"key", ring_get_key, NULL, "The native stream's handle.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot ring_slots[] = {
    {Py_tp_doc, "The frames of one media stream that nobody has taken yet."},
    {Py_tp_dealloc, ring_dealloc},
    {Py_tp_methods, ring_methods},
    {Py_tp_getset, ring_getset},
    {0, NULL},
};

static PyType_Spec ring_spec = {
    .name = "livekit_trio._ffi._bridge.Ring",
    .basicsize = sizeof(Ring),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = ring_slots,
};

/* Inbox */

typedef struct {
    PyObject_HEAD
    struct inbox *inbox;
} Inbox;

static struct inbox *inbox_of(PyObject *self) { return ((Inbox *)self)->inbox; }

static void close_inbox(struct inbox *inbox) {
    if (!core_disowned()) {
        Py_BEGIN_ALLOW_THREADS
        inbox_close(inbox);
        Py_END_ALLOW_THREADS
    }
}

static void inbox_dealloc(PyObject *self) {
    struct inbox *inbox = inbox_of(self);
    if (inbox && !core_disowned()) {
        close_inbox(inbox);
        inbox_release(inbox);
    }
    free_instance(self);
}

static PyObject *inbox_get_owner(PyObject *self, void *closure) {
    (void)closure;
    return PyLong_FromLong(inbox_owner(inbox_of(self)));
}

static PyObject *inbox_fileno_method(PyObject *self, PyObject *unused) {
    (void)unused;
    descriptor_t fd;
    if (core_disowned() || !inbox_fileno(inbox_of(self), &fd)) {
        return PyLong_FromLong(-1);
    }
    return PyLong_FromLongLong((long long)fd);
}

static PyObject *event_tuple(const struct event *event) {
    PyObject *items[4] = {
        PyLong_FromUnsignedLong(event->kind),
        PyLong_FromUnsignedLongLong(event->key),
        PyLong_FromLongLong(event->stamp),
        PyBytes_FromStringAndSize((const char *)event->payload, (Py_ssize_t)event->size),
    };
    PyObject *tuple = PyTuple_New(4);
    for (int i = 0; i < 4; i++) {
        if (!tuple || !items[i]) {
            Py_CLEAR(tuple);
            Py_XDECREF(items[i]);
        } else {
            PyTuple_SetItem(tuple, i, items[i]);
        }
    }
    return tuple;
}

/* The events as a list of tuples. Without memory for them they are lost, but not what they own. */
static PyObject *event_list(struct event *chain, size_t count) {
    PyObject *list = PyList_New((Py_ssize_t)count);
    for (Py_ssize_t i = 0; list && chain; i++) {
        PyObject *tuple = event_tuple(chain);
        if (!tuple) {
            Py_CLEAR(list);
            break;
        }
        PyList_SetItem(list, i, tuple);
        struct event *next = chain->next;
        chain->next = NULL;
        events_free(chain);
        chain = next;
    }
    if (chain) {
        Py_BEGIN_ALLOW_THREADS
        events_dispose(chain);
        Py_END_ALLOW_THREADS
    }
    return list;
}

static PyObject *inbox_take_method(PyObject *self, PyObject *argument) {
    Py_ssize_t limit = PyLong_AsSsize_t(argument);
    if (limit == -1 && PyErr_Occurred()) {
        return NULL;
    }
    if (limit < 0) {
        PyErr_SetString(PyExc_ValueError, "the limit is negative");
        return NULL;
    }
    if (core_disowned()) {
        return PyList_New(0);
    }
    size_t count;
    struct event *chain = inbox_take(inbox_of(self), (size_t)limit, &count);
    return event_list(chain, count);
}

static PyObject *inbox_route_method(PyObject *self, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"", "", "raw_streams", NULL};
    unsigned long long key, lossy, reliable;
    PyObject *limits = state_of(self)->default_limits;
    int raw_streams = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "K|O!$p:route", names, &key, &PyTuple_Type, &limits, &raw_streams) ||
        !PyArg_ParseTuple(limits, "KK:RouteLimits", &lossy, &reliable)) {
        return NULL;
    }
    if (core_disowned()) {
        Py_RETURN_NONE;
    }
    switch (inbox_route(inbox_of(self), key, lossy, reliable, raw_streams)) {
    case DONE:
        Py_RETURN_NONE;
    case TAKEN:
        return PyErr_Format(PyExc_ValueError, "handle %llu is routed to another inbox", key);
    case NO_MEMORY:
        return PyErr_NoMemory();
    default:
        PyErr_SetString(PyExc_ValueError, "the inbox is closed");
        return NULL;
    }
}

static bool key_argument(PyObject *argument, uint64_t *key) {
    *key = PyLong_AsUnsignedLongLong(argument);
    return !PyErr_Occurred();
}

static PyObject *inbox_unroute_method(PyObject *self, PyObject *argument) {
    uint64_t key;
    if (!key_argument(argument, &key)) {
        return NULL;
    }
    if (!core_disowned()) {
        Py_BEGIN_ALLOW_THREADS
        inbox_unroute(inbox_of(self), key);
        Py_END_ALLOW_THREADS
    }
    Py_RETURN_NONE;
}

static PyObject *inbox_abandon_method(PyObject *self, PyObject *argument) {
    uint64_t async_id;
    if (!key_argument(argument, &async_id)) {
        return NULL;
    }
    bool remembered = true;
    if (!core_disowned()) {
        Py_BEGIN_ALLOW_THREADS
        remembered = inbox_abandon(inbox_of(self), async_id);
        Py_END_ALLOW_THREADS
    }
    if (!remembered) {
        return PyErr_NoMemory();
    }
    Py_RETURN_NONE;
}

#define RING_CAPACITY_MAX 4096

/* (response, ring) out of a ring that has been opened; whatever fails here leaves nothing open behind it. */
static PyObject *opened_ring(PyObject *self, struct opening *opening) {
    PyObject *response = PyBytes_FromStringAndSize((const char *)opening->response, (Py_ssize_t)opening->response_size);
    PyObject *ring = allocate(state_of(self)->ring_type);
    if (ring) {
        ((Ring *)ring)->ring = opening->ring;
    }
    PyObject *result = response && ring ? PyTuple_Pack(2, response, ring) : NULL;
    uint64_t stream = ring_key(opening->ring);
    Py_BEGIN_ALLOW_THREADS
    core_drop(opening->response_handle);
    if (!result) {
        core_drop(stream);
    }
    if (!ring) {
        ring_close(opening->ring);
        ring_release(opening->ring);
    }
    Py_END_ALLOW_THREADS
    Py_XDECREF(response);
    Py_XDECREF(ring);
    return result;
}

static PyObject *inbox_open_ring_method(PyObject *self, PyObject *args) {
    Py_buffer message;
    Py_ssize_t capacity;
    if (!PyArg_ParseTuple(args, "y*n:open_ring", &message, &capacity)) {
        return NULL;
    }
    struct opening opening = {0};
    enum outcome outcome = DONE;
    bool usable = !refuse_after_fork(self);
    if (usable && (capacity < 1 || capacity > RING_CAPACITY_MAX)) {
        PyErr_Format(PyExc_ValueError, "a ring holds 1 to %d frames, not %zd", RING_CAPACITY_MAX, capacity);
        usable = false;
    }
    if (usable) {
        Py_BEGIN_ALLOW_THREADS
        outcome = ring_open(inbox_of(self), message.buf, (size_t)message.len, (size_t)capacity, &opening);
        Py_END_ALLOW_THREADS
    }
    PyBuffer_Release(&message);
    if (!usable) {
        return NULL;
    }
    switch (outcome) {
    case DONE:
        return opened_ring(self, &opening);
    case NO_MEMORY:
        return PyErr_NoMemory();
    case REFUSED:
        PyErr_SetNone(state_of(self)->refusal_error);
        return NULL;
    case NO_STREAM:
        PyErr_SetString(PyExc_ValueError, "the request opens no stream");
        return NULL;
    case TAKEN:
        PyErr_SetString(PyExc_ValueError, "the stream has a ring already");
        return NULL;
    default:
        PyErr_SetString(PyExc_ValueError, "the inbox is closed");
        return NULL;
    }
}

static PyObject *inbox_statistics_method(PyObject *self, PyObject *unused) {
    (void)unused;
    struct inbox_statistics s = {0};
    if (!core_disowned()) {
        inbox_statistics(inbox_of(self), &s);
    }
    return Py_BuildValue("{sKsKsKsKsKsKsK}", "buffered", (unsigned long long)s.buffered, "buffered_bytes",
                         (unsigned long long)s.buffered_bytes, "peak_bytes", (unsigned long long)s.peak_bytes, "taken",
                         (unsigned long long)s.taken, "batches", (unsigned long long)s.batches, "dropped_lossy",
                         (unsigned long long)s.dropped_lossy, "dropped_reliable", (unsigned long long)s.dropped_reliable);
}

static PyObject *inbox_close_method(PyObject *self, PyObject *unused) {
    (void)unused;
    close_inbox(inbox_of(self));
    Py_RETURN_NONE;
}

static PyMethodDef inbox_methods[] = {
    {"fileno", inbox_fileno_method, METH_NOARGS, "The descriptor that is readable while there is something to take."},
    {"take", inbox_take_method, METH_O, "Up to so many events, oldest first."},
    {"route", (PyCFunction)(void (*)(void))inbox_route_method, METH_VARARGS | METH_KEYWORDS, "Let events of a handle come here."},
    {"unroute", inbox_unroute_method, METH_O, "End a route."},
    {"open_ring", inbox_open_ring_method, METH_VARARGS, "Open a media stream and keep its frames in a ring."},
    {"abandon", inbox_abandon_method, METH_O, "Nobody waits for this reply any more."},
    {"statistics", inbox_statistics_method, METH_NOARGS, "Counters of this inbox."},
    {"close", inbox_close_method, METH_NOARGS, "Drop everything, undo pending joins, close the descriptor."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef inbox_getset[] = {
    {"owner", inbox_get_owner, NULL, "The high bits of this loop's async ids.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot inbox_slots[] = {
    {Py_tp_doc, "One event loop's buffer."},
    {Py_tp_dealloc, inbox_dealloc},
    {Py_tp_methods, inbox_methods},
    {Py_tp_getset, inbox_getset},
    {0, NULL},
};

static PyType_Spec inbox_spec = {
    .name = "livekit_trio._ffi._bridge.Inbox",
    .basicsize = sizeof(Inbox),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = inbox_slots,
};

/* Library */

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
    Buffer *buffer = (Buffer *)allocate(state_of(self)->buffer_type);
    if (buffer) {
        buffer->handle = handle;
        buffer->address = (void *)(uintptr_t)address;
        buffer->length = length;
    }
    return (PyObject *)buffer;
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
    PyObject *inbox = allocate(state_of(self)->inbox_type);
    if (!inbox) {
        return NULL;
    }
    ((Inbox *)inbox)->inbox = inbox_open((descriptor_t)read_fd, (descriptor_t)write_fd);
    if (!((Inbox *)inbox)->inbox) {
        Py_DECREF(inbox);
        return PyErr_NoMemory();
    }
    return inbox;
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

static PyType_Spec library_spec = {
    .name = "livekit_trio._ffi._bridge.Library",
    .basicsize = sizeof(Library),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = library_slots,
};

/* The module */

static PyObject *load(PyObject *module, PyObject *args) {
    PyObject *path;
    unsigned long long initialize, request, drop;
    const char *sdk, *version;
    if (!PyArg_ParseTuple(args, "UKKKss:load", &path, &initialize, &request, &drop, &sdk, &version)) {
        return NULL;
    }
    if (!initialize || !request || !drop) {
        PyErr_SetString(PyExc_ValueError, "the address of an entry point is 0");
        return NULL;
    }
    struct state *state = PyModule_GetState(module);
    Library *library = (Library *)allocate(state->library_type);
    if (!library) {
        return NULL;
    }
    Py_INCREF(path);
    library->path = path;
    struct native native = {0};
    *(void **)&native.initialize = (void *)(uintptr_t)initialize;
    *(void **)&native.request = (void *)(uintptr_t)request;
    *(void **)&native.drop = (void *)(uintptr_t)drop;
    bool loaded;
    Py_BEGIN_ALLOW_THREADS
    loaded = core_load(native, sdk, version);
    Py_END_ALLOW_THREADS
    if (!loaded) {
        Py_DECREF((PyObject *)library);
        PyErr_SetString(PyExc_RuntimeError, "a native library has been loaded in this process already");
        return NULL;
    }
    return (PyObject *)library;
}

static PyObject *import_name(const char *module_name, const char *name) {
    PyObject *module = PyImport_ImportModule(module_name);
    PyObject *value = module ? PyObject_GetAttrString(module, name) : NULL;
    Py_XDECREF(module);
    return value;
}

static bool add_type(PyObject *module, PyType_Spec *spec, PyTypeObject **type) {
    *type = (PyTypeObject *)PyType_FromModuleAndSpec(module, spec, NULL);
    return *type && PyModule_AddType(module, *type) == 0;
}

static int module_exec(PyObject *module) {
    struct state *state = PyModule_GetState(module);
    if (!add_type(module, &library_spec, &state->library_type) || !add_type(module, &inbox_spec, &state->inbox_type) ||
        !add_type(module, &ring_spec, &state->ring_type) || !add_type(module, &buffer_spec, &state->buffer_type)) {
        return -1;
    }
    state->ring_statistics = import_name("livekit_trio._ffi._abc", "RingStatistics");
    state->refusal_error = import_name("livekit_trio._errors", "NativeRefusalError");
    state->fork_error = import_name("livekit_trio._errors", "UsedAfterForkError");
    PyObject *limits = import_name("livekit_trio._ffi._abc", "RouteLimits");
    state->default_limits = limits ? PyObject_CallNoArgs(limits) : NULL;
    Py_XDECREF(limits);
    return state->ring_statistics && state->refusal_error && state->fork_error && state->default_limits ? 0 : -1;
}

static int module_traverse(PyObject *module, visitproc visit, void *arg) {
    struct state *state = PyModule_GetState(module);
    Py_VISIT(state->library_type);
    Py_VISIT(state->inbox_type);
    Py_VISIT(state->ring_type);
    Py_VISIT(state->buffer_type);
    Py_VISIT(state->ring_statistics);
    Py_VISIT(state->default_limits);
    Py_VISIT(state->refusal_error);
    Py_VISIT(state->fork_error);
    return 0;
}

static int module_clear(PyObject *module) {
    struct state *state = PyModule_GetState(module);
    Py_CLEAR(state->library_type);
    Py_CLEAR(state->inbox_type);
    Py_CLEAR(state->ring_type);
    Py_CLEAR(state->buffer_type);
    Py_CLEAR(state->ring_statistics);
    Py_CLEAR(state->default_limits);
    Py_CLEAR(state->refusal_error);
    Py_CLEAR(state->fork_error);
    return 0;
}

static void module_free(void *module) { module_clear(module); }

static PyMethodDef module_methods[] = {
    {"load", load, METH_VARARGS,
     "load(path, initialize, request, drop, sdk, version)\n--\n\nInitialise a native library, given its entry points' addresses."},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, module_exec},
    {0, NULL},
};

static struct PyModuleDef definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "livekit_trio._ffi._bridge",
    .m_doc = "The C bridge to liblivekit_ffi; see native/bridge/core.c.",
    .m_size = sizeof(struct state),
    .m_methods = module_methods,
    .m_slots = module_slots,
    .m_traverse = module_traverse,
    .m_clear = module_clear,
    .m_free = module_free,
};

PyMODINIT_FUNC PyInit__bridge(void) { return PyModuleDef_Init(&definition); }
