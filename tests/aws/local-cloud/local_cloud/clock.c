/* Moves the wall clock of every process that it is preloaded into.
 *
 * The file that LOCAL_CLOUD_CLOCK names holds the seconds by which it is ahead, as one signed 64-bit number in the
 * machine's byte order. It is mapped into memory, so that a change is seen by all processes at once. Monotonic clocks
 * are left alone: waits and timeouts stay what they are.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <semaphore.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <dlfcn.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *mapped;
static int asked;

static int64_t ahead(void)
{
    if (!asked) {
        const char *name = getenv("LOCAL_CLOUD_CLOCK");
        int file = name ? open(name, O_RDONLY | O_CLOEXEC) : -1;
        if (file >= 0) {
            void *page = mmap(NULL, sizeof(int64_t), PROT_READ, MAP_SHARED, file, 0);
            close(file);
            if (page != MAP_FAILED)
                mapped = page;
        }
        asked = 1;
    }
    return mapped ? *mapped : 0;
}

int clock_gettime(clockid_t clock, struct timespec *time)
{
    int failed = (int)syscall(SYS_clock_gettime, clock, time);
    if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        time->tv_sec += ahead();
    return failed;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone)
{
    struct timespec now;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &now))
        return -1;
    time->tv_sec = now.tv_sec;
    time->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *result)
{
    struct timespec now;
    if (clock_gettime(CLOCK_REALTIME, &now))
        return (time_t)-1;
    if (result)
        *result = now.tv_sec;
    return now.tv_sec;
}

/* Python 3.10 waits for its locks until a time of the wall clock, which the kernel does not know to be moved. */
int sem_timedwait(sem_t *restrict semaphore, const struct timespec *restrict until)
{
    static int (*original)(sem_t *, const struct timespec *);
    struct timespec real = *until;
    if (!original)
        original = (int (*)(sem_t *, const struct timespec *))dlsym(RTLD_NEXT, "sem_timedwait");
    real.tv_sec -= ahead();
    return original(semaphore, &real);
}
