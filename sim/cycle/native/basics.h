// Time, instructions, queues between blocks, and the agenda.
//
// Each header of this folder is one or two blocks of ../*.py, in the same words and in the same
// order: what is said there about a block holds here. declared.h is written from isa/ when the
// library is built: fields of instructions, opcodes and constants of timing.

#ifndef SHIFTLOOM_CYCLE_BASICS_H
#define SHIFTLOOM_CYCLE_BASICS_H

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <functional>
#include <queue>
#include <stdexcept>
#include <vector>

namespace shiftloom {

using Time = int64_t;

// A cycle that never comes, or that is not known yet.
constexpr Time NEVER = Time{1} << 62;
constexpr Time NO_TIME = -(Time{1} << 40);

constexpr int ENGINES = 4;
constexpr int INSTRUCTION_BYTES = 32;

// Where a field lies in an instruction, in bits.
struct Field {
    int position, width;
    bool is_signed;
};

// The bytes of an instruction; eight more behind them can be read.
struct Instruction {
    const uint8_t* bytes = nullptr;

    int64_t operator[](Field field) const {
        uint64_t word;
        std::memcpy(&word, bytes + field.position / 8, sizeof word);
        const uint64_t value = word >> field.position % 8 & ((uint64_t{1} << field.width) - 1);
        const uint64_t half = field.is_signed ? uint64_t{1} << (field.width - 1) : 0;
        return static_cast<int64_t>((value ^ half) - half);
    }

    int opcode() const { return bytes[0]; }
};

#include "declared.h"

// In which cycles payloads enter a queue and leave it.
struct StreamQueue {
    explicit StreamQueue(int64_t depth, int64_t behind = 0)
        : inner(depth - 1), taken_after(QUEUE_READ + behind) {}

    Time room() const {
        const int64_t index = static_cast<int64_t>(writes.size()) - inner;
        if (index < 0) return 0;
        return index > static_cast<int64_t>(pops.size()) ? NEVER : offered(index);
    }

    Time offered(int64_t index) const {
        Time taken = writes[index] + taken_after;
        if (index) taken = std::max(taken, pops[index - 1]);
        return taken + REGISTER;
    }

    int64_t inner, taken_after;
    std::vector<Time> writes, pops;
};

// What is to be looked at, and in which cycle; alarms of one cycle in the order they were set.
class Agenda {
  public:
    struct Alarm {
        std::function<void(Time)> callback;
        Time time = NEVER;
    };

    void at(Alarm& alarm, Time time) {
        if (time >= alarm.time) return;
        if (time < now_) throw std::logic_error("a cycle that has passed");
        alarm.time = time;
        heap_.push({time, ++count_, &alarm});
    }

    template <typename Until>
    void run(Until until) {
        while (!heap_.empty()) {
            const Entry entry = heap_.top();
            heap_.pop();
            if (entry.alarm->time != entry.time) continue;
            if (entry.time >= until()) return;
            entry.alarm->time = NEVER, now_ = entry.time;
            entry.alarm->callback(entry.time);
        }
    }

  private:
    struct Entry {
        Time time;
        int64_t count;
        Alarm* alarm;
        bool operator<(const Entry& other) const {
            return time != other.time ? time > other.time : count > other.count;
        }
    };

    std::priority_queue<Entry> heap_;
    int64_t count_ = 0;
    Time now_ = -1;
};

}  // namespace shiftloom

#endif
