/* Ring of _abc.py. */

#include "py_face.h"

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

PyType_Spec ring_spec = {
    .name = "livekit_trio._ffi._bridge.Ring",
    .basicsize = sizeof(Ring),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = ring_slots,
};

PyObject *ring_wrap(struct state *state, struct ring *ring) {
    PyObject *self = allocate(state->ring_type);
    if (self) {
        ((Ring *)self)->ring = ring;
    }
    return self;
}
