/* Inbox of _abc.py. */

#include "py_face.h"

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
    PyObject *ring = ring_wrap(state_of(self), opening->ring);
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

PyType_Spec inbox_spec = {
    .name = "livekit_trio._ffi._bridge.Inbox",
    .basicsize = sizeof(Inbox),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = inbox_slots,
};

PyObject *inbox_new(struct state *state, descriptor_t read_fd, descriptor_t write_fd) {
    Inbox *self = (Inbox *)allocate(state->inbox_type);
    if (!self) {
        return NULL;
    }
    self->inbox = inbox_open(read_fd, write_fd);
    if (!self->inbox) {
        Py_DECREF((PyObject *)self);
        return PyErr_NoMemory();
    }
    return (PyObject *)self;
}
