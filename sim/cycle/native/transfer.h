// The external side of LOAD and STORE jobs, and the order of their words.

#ifndef SHIFTLOOM_CYCLE_TRANSFER_H
#define SHIFTLOOM_CYCLE_TRANSFER_H

#include "basics.h"

namespace shiftloom {

// One job of LOAD or STORE; no words at all if it moves nothing.
struct Transfer {
    Transfer() = default;

    Transfer(Instruction fields, const Config& config)
        : buffer(fields[LOAD_buffer]), offset(fields[LOAD_offset]), addr(fields[LOAD_addr]),
          pitch(fields[LOAD_pitch]), memory_pitch(fields[LOAD_memory_pitch]),
          words(fields[LOAD_words]), runs(fields[LOAD_runs]) {
        if (!words || !runs) words = 0, runs = 1;
        beats = (words * config.word_bytes + config.bus_bytes - 1) / config.bus_bytes;
    }

    int64_t buffer = 0, offset = 0, addr = 0, pitch = 0, memory_pitch = 0;
    int64_t words = 0, runs = 0, beats = 0;
};

// Walks a job's runs, one each cycle, and cuts them into bursts, one each cycle.
class Bursts {
  public:
    explicit Bursts(const Config& config)
        : bus_(config.bus_bytes), longest_(config.burst_beats), rest_(config.transfer_rest) {}

    void accept(const Transfer& job, Time now) {
        job_ = job, held_ = true, run_ = job.offset, runs_left_ = job.runs;
        run_time_ = now + REGISTER, free = NEVER;
        if (time == NEVER) enter();
    }

    // Let the burst that is offered go in a cycle.
    void take(Time now) {
        left_ -= beats;
        if (left_ > 0) {
            position_ = 0, time = now + REGISTER;
            cut();
            return;
        }
        splitter_free_ = now + rest_, time = NEVER;
        if (held_) enter();
    }

    Time time = NEVER, free = 0;
    int64_t beats = 0;
    bool last = false;

  private:
    // Move the next run into the splitter, which is free.
    void enter() {
        const Time entered = std::max(run_time_, splitter_free_);
        position_ = run_ / bus_ % longest_;
        left_ = job_.beats, time = entered + REGISTER;
        run_ += job_.memory_pitch;
        run_time_ = entered + REGISTER;
        last_run_ = !--runs_left_;
        if (last_run_) held_ = false, free = entered + RUNS_FREE;
        cut();
    }

    void cut() {
        const int64_t room = longest_ - position_;
        const bool final = left_ <= room;
        beats = final ? left_ : room;
        last = final && last_run_;
    }

    const int64_t bus_, longest_;
    const Time rest_;
    Transfer job_;
    bool held_ = false, last_run_ = false;
    int64_t run_ = 0, runs_left_ = 0, position_ = 0, left_ = 0;
    Time run_time_ = 0, splitter_free_ = -1;
};

// Hands jobs to the side that moves words, one after the other.
class Areas {
  public:
    Areas(const Config& config, int64_t depth) : queue(depth), rest_(config.transfer_rest) {}

    void accept(const Transfer& job, Time now) {
        queue.writes.push_back(now);
        jobs_.push_back(job);
    }

    // Find the next job, and the cycle of its first place; return whether there is one.
    bool follow(Transfer& job, Time& place) {
        const size_t index = queue.pops.size();
        if (index == jobs_.size()) return false;
        const Time time = std::max(queue.offered(index), ended_);
        queue.pops.push_back(time);
        job = jobs_[index], place = time + PLACE;
        return true;
    }

    // Note in which cycle the last word of the present job moves.
    void end(Time time) { ended_ = time + rest_; }

    StreamQueue queue;

  private:
    const Time rest_;
    std::vector<Transfer> jobs_;
    Time ended_ = -1;
};

}  // namespace shiftloom

#endif
