// The blocks together, and when each piece of work starts.

#ifndef SHIFTLOOM_CYCLE_MACHINE_H
#define SHIFTLOOM_CYCLE_MACHINE_H

#include "mac_engine.h"
#include "read_arbiter.h"
#include "store.h"

namespace shiftloom {

class Machine {
  public:
    Machine(const Config& config, const Memory& memory, std::vector<Instruction> listing,
            int64_t length)
        : tokens(config), config_(config), memory_(memory), listing_(std::move(listing)),
          fetch(config_, listing_, length, queues_, [this](EngineQueue& q) { consider(q); }),
          mac(config_, buffer_), vector(config_, buffer_, agenda_, done(VECTOR)),
          load(config_, buffer_, done(LOAD)),
          reads(agenda_, memory_, fetch, load, vector, [this] { consider(queues_[LOAD]); }),
          store(config_, agenda_, memory_, buffer_, vector, done(STORE),
                [this] { consider(queues_[STORE]); }) {
        for (const Instruction& instruction : listing_) left_ += work_of(instruction.opcode()) >= 0;
        for (int k = 0; k < ENGINES; ++k) {
            queues_.emplace_back(config_, k, tokens);
            alarms_[k].callback = [this, k](Time now) { start(queues_[k], now); };
        }
    }

    // Run to the end, and return the cycles that it took; NEVER if work is left.
    Time run() {
        reads.plan();
        agenda_.run([this] { return end(); });
        return end();
    }

    Tokens tokens;
    std::vector<Time> starts[ENGINES], waits[ENGINES], waited[ENGINES];

  private:
    // First cycle that does not count; NEVER while that is not known.
    Time end() const {
        if (left_ || fetch.ended == NEVER) return NEVER;
        Time last = fetch.ended;
        for (const auto& dones : tokens.dones) {
            if (!dones.empty()) last = std::max(last, dones.back());
        }
        return last + RUN_END;
    }

    // What is called with the completions of an engine's work.
    std::function<void(Time)> done(int engine) {
        return [this, engine](Time time) {
            tokens.dones[engine].push_back(time);
            --left_;
            for (EngineQueue& queue : queues_) consider(queue);
        };
    }

    // Let the work at a queue's head start when it can.
    void consider(EngineQueue& queue) {
        const Time ready = queue.ready();
        if (ready == NEVER) return;
        const Time time = std::max(ready, free(queue.engine));
        if (time < NEVER) agenda_.at(alarms_[queue.engine], time);
    }

    // From which cycle on an engine lets work start; NEVER if not known, or more.
    Time free(int engine) const {
        const Time check = config_.queue_check;
        if (engine == LOAD) return load.free() + check;
        if (engine == MAC) return mac.free + check;
        return (engine == VECTOR ? vector.free : store.free()) + check;
    }

    void start(EngineQueue& queue, Time now) {
        const int engine = queue.engine;
        if (std::max(queue.ready(), free(engine)) > now) {
            consider(queue);
            return;
        }
        const Instruction work = queue.head;
        Instruction settings[OPCODES];
        std::copy(std::begin(queue.settings), std::end(queue.settings), settings);
        const auto [wait, cycles] = queue.reason(free(engine));
        starts[engine].push_back(now);
        waits[engine].push_back(wait);
        waited[engine].push_back(cycles);
        queue.pop(now);
        begin(engine, now, settings, work);
        consider(queue);
        fetch.decode();
        reads.plan();
    }

    // Let an engine take work in this cycle.
    void begin(int engine, Time now, const Instruction* settings, Instruction work) {
        if (engine == MAC) {
            buffer_.reads.forget(std::min({now, vector.position(), store.position()}));
            done(MAC)(mac.start(now, settings[OPCODE_MAC_LOOPS], work));
        } else if (engine == VECTOR) {
            const Instruction requantize = settings[OPCODE_VECTOR_REQUANTIZE];
            vector.start(now, settings[OPCODE_VECTOR_LOOPS], requantize, work);
        } else if (engine == LOAD) {
            load.start(now, Transfer(work, config_));
        } else {
            store.start(now, Transfer(work, config_));
        }
    }

    const Config config_;
    const Memory memory_;
    const std::vector<Instruction> listing_;
    int64_t left_ = 0;
    Agenda agenda_;
    ActivationBuffer buffer_;
    Fetch::Queues queues_;
    Agenda::Alarm alarms_[ENGINES];

  public:
    Fetch fetch;
    MacEngine mac;
    Vector vector;
    Load load;
    ReadArbiter reads;
    Store store;
};

}  // namespace shiftloom

#endif
