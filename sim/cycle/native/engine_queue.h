// Instructions in front of an engine, and what the first one waits for.

#ifndef SHIFTLOOM_CYCLE_ENGINE_QUEUE_H
#define SHIFTLOOM_CYCLE_ENGINE_QUEUE_H

#include <deque>
#include <utility>

#include "basics.h"

namespace shiftloom {

// Completed work of each engine, as far as it is known.
struct Tokens {
    explicit Tokens(const Config& config) : delay(config.token) {}

    Time since(int engine, int64_t count) const {
        if (!count) return 0;
        const auto& known = dones[engine];
        return count <= static_cast<int64_t>(known.size()) ? known[count - 1] + delay : NEVER;
    }

    const Time delay;
    std::vector<Time> dones[ENGINES];
};

// Holds one engine's instructions; settings leave in the cycle they are offered in.
class EngineQueue {
  public:
    EngineQueue(const Config& config, int engine, const Tokens& tokens)
        : engine(engine), check_(config.queue_check), tokens_(tokens) {}

    Time room() const { return queue_.room(); }

    // Return whether the instruction is work at the head now.
    bool write(Time time, Instruction instruction, int late) {
        queue_.writes.push_back(time);
        waiting_.push_back({instruction, late});
        return !head.bytes && expose();
    }

    void pop(Time time) {
        head = {};
        before_ = WAIT_ENGINE;
        queue_.pops.push_back(time);
        expose();
    }

    Time ready() const {
        if (!head.bytes) return NEVER;
        Time time = offered_;
        for (int k = 0; k < ENGINES; ++k) time = std::max(time, tokens_.since(k, waits_[k]));
        return time;
    }

    // What the head waits for last, and how many cycles earlier it would start without that.
    std::pair<int, Time> reason(Time free) const {
        Time last = offered_, before = 0;
        int wait = late_;
        const auto consider = [&](Time time, int other) {
            if (time > last || (time == last && wait > WAIT_ENGINE && time)) {
                before = last, last = time, wait = other;
            } else {
                before = std::max(before, time);
            }
        };
        consider(free, WAIT_ENGINE);
        for (int k = 0; k < ENGINES; ++k) {
            if (waits_[k]) consider(tokens_.since(k, waits_[k]), k);
        }
        return {wait, last - before};
    }

    const int engine;
    Instruction head;
    Instruction settings[OPCODES];

  private:
    // Carry out settings until work is at the head; return whether some is.
    bool expose() {
        while (!waiting_.empty()) {
            const auto [instruction, late] = waiting_.front();
            waiting_.pop_front();
            auto& pops = queue_.pops;
            const int64_t index = pops.size();
            offered_ = queue_.offered(index);
            const bool follows = index && pops.back() > queue_.writes[index] + QUEUE_READ;
            late_ = follows ? before_ : late;
            const int opcode = instruction.opcode();
            if (work_of(opcode) >= 0) {
                head = instruction;
                offered_ += check_;
                for (int k = 0; k < ENGINES; ++k) waits_[k] = instruction[WAITS[k]];
                return true;
            }
            settings[opcode] = instruction;
            before_ = WAIT_SETTINGS;
            pops.push_back(offered_);
        }
        return false;
    }

    const Time check_;
    const Tokens& tokens_;
    StreamQueue queue_{QUEUE_DEPTH};
    std::deque<std::pair<Instruction, int>> waiting_;
    Time offered_ = 0;
    int late_ = WAIT_FETCH, before_ = WAIT_ENGINE;
    int64_t waits_[ENGINES] = {};
};

}  // namespace shiftloom

#endif
