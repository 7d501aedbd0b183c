/* The Python face of the bridge: livekit_trio._ffi._bridge, under the Limited API, as livekit_trio/_ffi/_abc.py asks for it.
 *
 * The Python objects hold one reference to what they stand for in the core, and no Python object that could refer to them; so there
 * is no cycle that the garbage collector would have to see. They may die on any thread. The GIL is released around whatever calls
 * the library. After a fork the child's objects do nothing: see core_disowned() in core.c.
 */

#ifndef LIVEKIT_TRIO_PY_FACE_H
#define LIVEKIT_TRIO_PY_FACE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "core.h"

struct state {
    PyTypeObject *library_type;
    PyTypeObject *inbox_type;
    PyTypeObject *ring_type;
    PyTypeObject *buffer_type;
    /* the classes of _abc.py and _errors.py */
    PyObject *ring_statistics;
    PyObject *default_limits;
    PyObject *refusal_error;
    PyObject *fork_error;
};

extern PyType_Spec library_spec;
extern PyType_Spec inbox_spec;
extern PyType_Spec ring_spec;
extern PyType_Spec buffer_spec;

/* The state of the module that an instance of one of our types belongs to. */
struct state *state_of(PyObject *self);

/* In a forked child: raise UsedAfterForkError and return true. */
bool refuse_after_fork(PyObject *self);

/* A new instance of one of our types, all zeros behind its head. */
PyObject *allocate(PyTypeObject *type);
void free_instance(PyObject *self);

/* A handle or an async id; false: it is none, and an error has been set. */
bool key_argument(PyObject *argument, uint64_t *key);

/* Instances that take over what they are given; on failure it stays with the caller. */
PyObject *library_new(struct state *state, PyObject *path);
PyObject *inbox_new(struct state *state, descriptor_t read_fd, descriptor_t write_fd);
PyObject *ring_wrap(struct state *state, struct ring *ring);
PyObject *buffer_new(struct state *state, uint64_t handle, void *address, Py_ssize_t length);

#endif
